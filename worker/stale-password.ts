import { ApplicationFailure } from '@temporalio/common';
import type { ActivityExecuteInput, ActivityInboundCallsInterceptor, Next } from '@temporalio/worker';

/** PostgreSQL's invalid_password. @see Appendix A of its manual */
const INVALID_PASSWORD = '28P01';
/** By then whoever supervises the worker has started another. */
const RETRY_AFTER = '30 seconds';

/**
 * For a worker whose password was given to it when it started, and is rotated while it runs: the worker stops, another starts with
 * today's password, and the step is tried again there. Without this the rotation would fail a cycle as misconfigured.
 */
export class StalePassword implements ActivityInboundCallsInterceptor {
  /** @param stop - stops the worker; called for each step that meets the refusal */
  constructor(private readonly stop: () => void) {}

  async execute(input: ActivityExecuteInput, next: Next<ActivityInboundCallsInterceptor, 'execute'>): Promise<unknown> {
    try {
      return await next(input);
    } catch (error) {
      if (!isRefused(error)) throw error;
      this.stop();
      throw ApplicationFailure.create({
        message:
          'PostgreSQL refused the password that this worker was started with: it stops, and the next one is given the present password',
        type: 'StalePassword',
        nextRetryDelay: RETRY_AFTER,
      });
    }
  }
}

function isRefused(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ('code' in error && error.code === INVALID_PASSWORD) || isRefused(error.cause);
}
