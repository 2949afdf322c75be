export { decideUpdate } from './decision-desk';
export { discardCycle } from './discard-cycle';
export { etlCycle, progressQuery } from './etl-cycle';
