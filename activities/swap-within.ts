import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import type { SwapAttempt } from './swap';

const RETRY_PAUSE_MS = { least: 100, most: 500 }; // readers that queued behind an attempt get through before the next

/**
 * Attempts a swap, again and again with jitter, until it is done, held, or out of time; a new attempt of the activity goes on counting
 * from the first one's start.
 * @returns the last attempt, and how many there were
 */
export async function swapWithin(minutes: number, attempt: () => Promise<SwapAttempt>): Promise<{ readonly swapped: SwapAttempt; readonly attempts: number }> {
  const context = Context.current();
  const resumed = context.info.heartbeatDetails as { readonly sinceMs: number; readonly attempts: number } | undefined;
  const sinceMs = resumed?.sinceMs ?? Date.now();
  const deadlineMs = sinceMs + minutes * 60_000;
  for (let attempts = (resumed?.attempts ?? 0) + 1; ; attempts += 1) {
    context.cancellationSignal.throwIfAborted();
    context.heartbeat({ sinceMs, attempts });
    const swapped = await attempt();
    if (swapped.done || swapped.held === true || Date.now() >= deadlineMs) return { swapped, attempts };
    const pauseMs = RETRY_PAUSE_MS.least + Math.random() * (RETRY_PAUSE_MS.most - RETRY_PAUSE_MS.least);
    await sleep(pauseMs, undefined, { signal: context.cancellationSignal }).catch(() => context.cancellationSignal.throwIfAborted());
  }
}
