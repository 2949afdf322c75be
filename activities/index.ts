import type { BackfillActivities } from './backfills';
import type { BatchActivities } from './batches';
import type { CycleActivities } from './cycles';
import type { DataQualityActivities } from './data-quality';
import type { DedupJobActivities } from './dedup-job';
import type { DryRunActivities } from './dry-run';
import type { InboxActivities } from './inbox';
import type { LedgerActivities } from './ledger';
import type { LoadActivities } from './load';
import type { PipelineActivities } from './pipelines';
import type { PromotionActivities } from './promotion';
import type { PublicationActivities } from './publication';
import type { RollbackActivities } from './rollback';
import type { RerunActivities } from './reruns';
import type { SetAsideActivities } from './set-aside';
import type { SparkActivities } from './spark';
import type { TransformDocumentActivities } from './transform-documents';

/** Every activity that a worker registers. */
export type Activities = PipelineActivities &
  CycleActivities &
  BatchActivities &
  InboxActivities &
  LedgerActivities &
  DedupJobActivities &
  TransformDocumentActivities &
  SparkActivities &
  DataQualityActivities &
  LoadActivities &
  PromotionActivities &
  PublicationActivities &
  BackfillActivities &
  DryRunActivities &
  RerunActivities &
  RollbackActivities &
  SetAsideActivities;
