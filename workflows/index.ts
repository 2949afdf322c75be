export { dropSignal, dryRun, dryRunReportQuery } from './dry-run';
export { etlCycle, progressQuery } from './etl-cycle';
