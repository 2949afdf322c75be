import { type ActivityOptions, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../activities';
import { ACTIVITY_SUMMARIES } from '../domain/activity-summaries';

/** Activities under `options`, each with the summary that the Web UI shows beside it. */
export function describedActivities(options: ActivityOptions): Activities {
  return new Proxy({} as Activities, {
    get: (_target, property) => {
      const name = property as keyof Activities;
      const summary = ACTIVITY_SUMMARIES[name];
      return proxyActivities<Activities>(summary === undefined ? options : { ...options, summary })[name];
    },
  });
}
