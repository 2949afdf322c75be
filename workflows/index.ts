export { etlCycle, progressQuery } from './etl-cycle';
export { inbox, inboxQuery, flushUpdate, objectsArrivedSignal, pauseUpdate, resumeUpdate } from './inbox';
