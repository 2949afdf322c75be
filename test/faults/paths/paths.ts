import { approvalPath } from './approval';
import { backfillPath } from './backfill';
import { dryRunPath } from './dry-run';
import { nightPath } from './night';
import type { Path } from './path';
import { refreshPath } from './refresh';
import { rerunPath } from './rerun';
import { rollbackPath } from './rollback';
import { sparkDedupPath } from './spark-dedup';

/** Every way to work with a pipeline that the board breaks. */
export const PATHS = {
  night: nightPath,
  approval: approvalPath,
  backfill: backfillPath,
  'dry run': dryRunPath,
  'rerun from load': rerunPath('load'),
  'rerun from transform': rerunPath('transform'),
  rollback: rollbackPath,
  'refresh by day': refreshPath,
  'dedup by Spark': sparkDedupPath,
} as const satisfies Readonly<Record<string, Path>>;
export type PathName = keyof typeof PATHS;

/** @returns the path, with all that a path may have */
export function pathOf(name: PathName): Path {
  return PATHS[name];
}
