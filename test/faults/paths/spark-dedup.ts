import { deduplicatedBySpark } from '../pipeline';
import { nightPath } from './night';
import type { Path } from './path';

/** The second night of a pipeline whose records a Spark run compares with the ledger. */
export const sparkDedupPath: Path = { ...nightPath, declare: deduplicatedBySpark };
