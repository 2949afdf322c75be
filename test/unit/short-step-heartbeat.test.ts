import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { MockActivityEnvironment } from '@temporalio/testing';
import { ShortStepHeartbeat } from '../../worker/short-step-heartbeat';

const STEP_MS = 400;

/** How often a step of that length beat through the interceptor, having said nothing itself. */
async function beatsOf(info: { readonly heartbeatTimeoutMs?: number; readonly startToCloseTimeoutMs: number }): Promise<number> {
  const environment = new MockActivityEnvironment(info);
  let beats = 0;
  environment.on('heartbeat', () => (beats += 1));
  await environment.run(() => new ShortStepHeartbeat(Context.current()).execute({ args: [], headers: {} }, () => sleep(STEP_MS)));
  return beats;
}

test('a short step beats, so that a killed worker is found out by its heartbeat time-out (I8)', async () => {
  expect(await beatsOf({ heartbeatTimeoutMs: 150, startToCloseTimeoutMs: 60_000 })).toBeGreaterThanOrEqual(2);
});

test('a long step beats by itself: its details are not overwritten', async () => {
  expect(await beatsOf({ heartbeatTimeoutMs: 150, startToCloseTimeoutMs: 60_001 })).toBe(0);
});

test('a step without a heartbeat time-out does not beat', async () => {
  expect(await beatsOf({ startToCloseTimeoutMs: 60_000 })).toBe(0);
});
