export { backfill, backfillProgressQuery, pauseSignal, resumeSignal } from './backfill';
export { decideUpdate } from './decision-desk';
export { discardCycle } from './discard-cycle';
export { dropSignal, dryRun, dryRunReportQuery } from './dry-run';
export { etlCycle, progressQuery } from './etl-cycle';
export { inbox, inboxQuery, flushUpdate, objectsArrivedSignal, pauseUpdate, resumeUpdate } from './inbox';
export { releaseHold } from './release-hold';
export { rollback } from './rollback';
