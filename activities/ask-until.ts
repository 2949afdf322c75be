import { Context } from '@temporalio/activity';

const FIRST_POLL_MS = 200;
const SLOWEST_POLL_MS = 5_000; // well inside the heartbeat timeout; who waits for a cycle does not mind

/**
 * Asks with growing pauses until there is an answer, heartbeating. The caller bounds it: by its own answer, or by the activity's time-outs.
 * @param ask - undefined: not yet
 * @param details - of the heartbeat
 * @throws CancelledFailure when the activity is cancelled
 */
export async function askUntil<T>(ask: () => Promise<T | undefined>, details: unknown): Promise<T> {
  const context = Context.current();
  for (let waitMs = FIRST_POLL_MS; ; waitMs = Math.min(waitMs * 1.5, SLOWEST_POLL_MS)) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    context.heartbeat(details);
    await context.sleep(waitMs);
  }
}
