import { ActivityFailure, type ActivityOptions, ApplicationFailure, isCancellation, patched, proxyActivities, proxyLocalActivities } from '@temporalio/workflow';
import type { Activities } from '../activities';
import { ACTIVITY_SUMMARIES } from '../domain/activity-summaries';
import { firstTry } from './activity-options';

type AnyActivity = (input: never) => Promise<unknown>;

let heartbeatSeconds: number | undefined;

/** How soon this execution's steps are given up without a heartbeat; a workflow's modules are its own, so no other one hears it. */
export function expectHeartbeatsWithin(seconds: number | undefined): void {
  heartbeatSeconds = seconds;
}

/** Activities under `options`, each with the summary that the Web UI shows beside it. */
export function describedActivities(options: ActivityOptions): Activities {
  // Not before the call: by then the declaration has said how long a heartbeat may take.
  return eachByName((name, summary) => (input) => {
    const proxied = proxyActivities<Activities>({
      ...options,
      ...summary,
      ...(heartbeatSeconds === undefined || options.heartbeatTimeout === undefined ? {} : { heartbeatTimeout: heartbeatSeconds * 1_000 }),
    });
    return (proxied[name] as AnyActivity)(input);
  });
}

/**
 * Short activities that are tried once within the workflow task, which spares the server a task of their own and another one of the
 * workflow. One that is not done by then goes on as an activity under `options`, with its retries, for everybody to see.
 *
 * Until the task is over nobody knows of them: a worker that dies meanwhile has them all repeated, from the last ordinary one on. So
 * each must come to the same though the ones after it were done already, and what must not change then is no such step (decision 0029).
 */
export function promptActivities(options: ActivityOptions): Activities {
  const patient = describedActivities(options);
  return eachByName((name, summary) => async (input) => {
    const goOn = patient[name] as AnyActivity;
    if (!patched('2026-11-short-steps-in-the-task')) return goOn(input);
    try {
      return await (proxyLocalActivities<Activities>({ ...firstTry, ...summary })[name] as AnyActivity)(input);
    } catch (error) {
      if (isCancellation(error)) throw error;
      if (error instanceof ApplicationFailure && error.nonRetryable === true) throw asOfAnActivity(error, name);
      return goOn(input);
    }
  });
}

function eachByName(call: (name: keyof Activities, summary: { readonly summary?: string }) => AnyActivity): Activities {
  return new Proxy({} as Activities, {
    get: (_target, property) => {
      const summary = ACTIVITY_SUMMARIES[property as string];
      return call(property as keyof Activities, summary === undefined ? {} : { summary });
    },
  });
}

/** A local activity's failure comes bare: whoever catches it is used to the other kind. */
function asOfAnActivity(failure: ApplicationFailure, name: string): ActivityFailure {
  return new ActivityFailure('Activity task failed', name, undefined, 'NON_RETRYABLE_FAILURE', undefined, failure);
}
