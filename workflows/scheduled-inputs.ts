import { type Sinks, proxySinks, type WorkflowInterceptorsFactory } from '@temporalio/workflow';
import { keyPaths } from '../domain/key-paths';

/** Told of each activity that a workflow schedules, while it is replayed: which keys its input has. */
export interface ScheduledInputsSinks extends Sinks {
  readonly scheduledInputs: { scheduled(activityId: string, keys: readonly string[]): void };
}

const { scheduledInputs } = proxySinks<ScheduledInputsSinks>();

/** For the bundle of `meridian replay --strict-inputs` alone: the replay itself compares an activity's type and never its input. */
export const interceptors: WorkflowInterceptorsFactory = () => ({
  outbound: [
    {
      async scheduleActivity(input, next) {
        // The SDK's id of an activity is its number in the execution.
        scheduledInputs.scheduled(String(input.seq), [...keyPaths(input.args[0])]);
        return next(input);
      },
    },
  ],
});
