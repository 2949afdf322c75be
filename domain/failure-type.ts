/** `ApplicationFailure.type` of everything that Meridian fails with. Web UI, alerts and tests go by these. */
export const FailureType = {
  /** No declaration of that name. */
  UnknownPipeline: 'UnknownPipeline',
  /** The declaration has faults; all are listed. */
  InvalidPipeline: 'InvalidPipeline',
  /** What was asked for has no meaning; nothing was begun. */
  InvalidRequest: 'InvalidRequest',
  /** The interval asked for is none of this pipeline's. */
  InvalidInterval: 'InvalidInterval',
  /** Another backfill of the pipeline runs, or its input is not what a backfill takes. */
  BackfillRefused: 'BackfillRefused',
  /** Too many cycles of a backfill in a row came to nothing, or it was paused for too long. */
  BackfillStopped: 'BackfillStopped',
  /** What a rerun or a discard asks for is not there; the message says what can be done instead. */
  RerunRefused: 'RerunRefused',
  /** The same interval is already being run under its own workflow id. */
  CycleAlreadyRunning: 'CycleAlreadyRunning',
  /** A paused inbox was told to start a cycle. */
  InboxPaused: 'InboxPaused',
  /** Another execution took this cycle's turn: its epoch is no longer the dataset's. */
  TurnLost: 'TurnLost',
  /** Another cycle of the dataset kept the turn longer than this one waits. */
  TurnTimeout: 'TurnTimeout',
  /** A transaction of the dedup ledger was refused for good. */
  LedgerRefused: 'LedgerRefused',
  /** The ledger or another AWS service throttles; retried. */
  Throttled: 'Throttled',
  /** An S3 object's body was short, stalled or not what its ETag says; retried. */
  ObjectDamaged: 'ObjectDamaged',
  /** An object that this cycle pinned is gone. */
  ObjectVanished: 'ObjectVanished',
  /** EMR or Glue refused the request itself. */
  JobRefused: 'JobRefused',
  /** The external job ended FAILED; message carries its log's URI and last error lines. */
  JobFailed: 'JobFailed',
  /** Cancelled from outside Meridian. */
  JobCancelled: 'JobCancelled',
  /** Stayed too long in SUBMITTED, PENDING, SCHEDULED, QUEUED or RUNNING. */
  JobOverdue: 'JobOverdue',
  /** SUCCESS without a `_manifest.json`, or with one that does not fit the contract. */
  JobOutputInvalid: 'JobOutputInvalid',
  /** The quality run ended without a result for every rule that was asked. */
  QualityRunFailed: 'QualityRunFailed',
  /** read != stored + quarantined + duplicates, or served rows do not follow. */
  CountsDoNotAddUp: 'CountsDoNotAddUp',
  /** The output is empty and the relation is not declared to be allowed so. */
  EmptyOutput: 'EmptyOutput',
  /** Columns that the stable view cannot take; message carries the diff. */
  IncompatibleColumns: 'IncompatibleColumns',
  /** A duplicate key in the candidate. */
  CandidateInvalid: 'CandidateInvalid',
  /** The candidate was dropped under a late attempt. */
  CandidateGone: 'CandidateGone',
  /** Another promotion came first: the sequence is no longer what this cycle saw. */
  PromotionSuperseded: 'PromotionSuperseded',
  /** What a rollback asks for cannot be served; the message says what can. */
  RollbackRefused: 'RollbackRefused',
  /** The worker's database role lacks a privilege that a safe promotion needs. */
  DatabasePrivilegeMissing: 'DatabasePrivilegeMissing',
  /** A credential, permission or resource that a person must mend. */
  Misconfigured: 'Misconfigured',
} as const;
export type FailureType = (typeof FailureType)[keyof typeof FailureType];
