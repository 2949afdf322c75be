export { etlCycle, progressQuery } from './etl-cycle';
