/** An external job as the cycle record holds it: what is needed to find, confirm or cancel it. */
export interface JobRef {
  readonly kind: 'emr' | 'glue';
  /** `transform`, `check-added`, … */
  readonly step: string;
  readonly clientToken: string;
  /** The service's run id; absent while no response to the submit call was recorded. */
  readonly externalId?: string;
  /** The service's own word, or `RECORDED` before the submit call. */
  readonly state: string;
}

/** States in which a job costs nothing any more: EMR's, Glue's, and ours for a token that never reached the service. */
export const TERMINAL_JOB_STATES = [
  'SUCCESS',
  'SUCCEEDED',
  'FAILED',
  'CANCELLED',
  'STOPPED',
  'TIMEOUT',
  'NEVER_STARTED',
] as const;
