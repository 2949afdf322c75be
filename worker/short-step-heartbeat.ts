import type { Context } from '@temporalio/activity';
import type { ActivityExecuteInput, ActivityInboundCallsInterceptor, Next } from '@temporalio/worker';

/** Steps of at most this length have no progress to tell: what is longer beats by itself, with details that must not be overwritten. */
const SHORT_STEP_MS = 60_000;
const BEATS_A_TIMEOUT = 3;

/**
 * Beats for short steps, so that one whose worker was killed starts elsewhere after its heartbeat time-out and not only when its
 * whole attempt is over time. A step that hangs is still ended by its `startToCloseTimeout`.
 */
export class ShortStepHeartbeat implements ActivityInboundCallsInterceptor {
  constructor(private readonly context: Context) {}

  async execute(input: ActivityExecuteInput, next: Next<ActivityInboundCallsInterceptor, 'execute'>): Promise<unknown> {
    const { heartbeatTimeoutMs, startToCloseTimeoutMs } = this.context.info;
    if (heartbeatTimeoutMs === undefined || startToCloseTimeoutMs > SHORT_STEP_MS) return next(input);
    const beats = setInterval(() => this.context.heartbeat(), heartbeatTimeoutMs / BEATS_A_TIMEOUT);
    try {
      return await next(input);
    } finally {
      clearInterval(beats);
    }
  }
}
