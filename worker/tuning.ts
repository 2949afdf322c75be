import type { WorkerOptions } from '@temporalio/worker';
import { FailureInterceptor } from './failure-interceptor';
import { ShortStepHeartbeat } from './short-step-heartbeat';
import { StalePassword } from './stale-password';

/**
 * What every worker of ours has beside its connection and its code; bench/ measures cycles under the same.
 * @param stopForPassword - of a supervised worker: stops it when PostgreSQL refuses the password that it was started with
 */
export function workerTuning(stopForPassword?: () => void): Pick<WorkerOptions, 'interceptors' | 'shutdownGraceTime' | 'maxHeartbeatThrottleInterval' | 'stickyQueueScheduleToStartTimeout'> {
  return {
    interceptors: {
      activity: [
        () => ({ inbound: new FailureInterceptor() }),
        (context) => ({ inbound: new ShortStepHeartbeat(context) }),
        ...(stopForPassword === undefined ? [] : [() => ({ inbound: new StalePassword(stopForPassword) })]),
      ],
    },
    // A running activity gets this long to heartbeat its last and stop, before its attempt is left to its time-outs.
    shutdownGraceTime: '20 seconds',
    // A cancellation reaches an activity with its next heartbeat: by default up to 0.8 of the heartbeat time-out later.
    maxHeartbeatThrottleInterval: '2 seconds',
    // Sticky queries go to the worker that has the workflow cached; the default 10 s delays every take-over after a kill.
    stickyQueueScheduleToStartTimeout: '5 seconds',
  };
}
