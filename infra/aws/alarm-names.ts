/** Names of the alarms that every deployment has: the dashboard shows their states by them. */
export const gateFailedAlarm = (pipeline: string): string => `meridian-gate-failed-${pipeline}`;
export const cycleFailedAlarm = (pipeline: string): string => `meridian-cycle-failed-${pipeline}`;
export const UNREAD_EVENTS_ALARM = 'meridian-unread-events';
