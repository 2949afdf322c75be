import { type ActivityOptions, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities';
import { ACTIVITY_SUMMARIES } from '../domain/activity-summaries';

let heartbeatSeconds: number | undefined;

/** How soon this execution's steps are given up without a heartbeat; a workflow's modules are its own, so no other one hears it. */
export function expectHeartbeatsWithin(seconds: number | undefined): void {
  heartbeatSeconds = seconds;
}

/** Activities under `options`, each with the summary that the Web UI shows beside it. */
export function describedActivities(options: ActivityOptions): Activities {
  return new Proxy({} as Activities, {
    get: (_target, property) => {
      const name = property as keyof Activities;
      const summary = ACTIVITY_SUMMARIES[name];
      // Not before the call: by then the declaration has said how long a heartbeat may take.
      return (input: never) => {
        const proxied = proxyActivities<Activities>({
          ...options,
          ...(summary === undefined ? {} : { summary }),
          ...(heartbeatSeconds === undefined || options.heartbeatTimeout === undefined ? {} : { heartbeatTimeout: heartbeatSeconds * 1_000 }),
        });
        return (proxied[name] as (input: never) => Promise<unknown>)(input);
      };
    },
  });
}
