export { backfill, backfillProgressQuery, pauseSignal, resumeSignal } from './backfill';
export { etlCycle, progressQuery } from './etl-cycle';
