import { setTimeout as sleep } from 'node:timers/promises';
import type { NightOutcome } from '../lab';
import { at } from './faults';
import { type PointName, POINTS } from './points';
import type { Fault, Moment, Scene } from './scene';

/** Time for a call to take its effect. */
const ARRIVAL_MS = 400;
/** Whoever is waited for comes within seconds; if not, the scenario tested nothing. */
const PATIENCE_MS = 60_000;
/** Long enough for another worker to start and take the step over, also on a busy machine: else the frozen one goes on with it itself. */
const FROZEN_MS = 25_000;

interface Until {
  readonly point: PointName;
  readonly moment: Moment;
}

/** A call is under way when its night is terminated; it arrives once the next night, which took over, is at `point`. */
export function lateAfterTermination(point: PointName): Fault {
  const loss = async ({ night }: Scene) => void (await (await night).terminate('by the fault harness'));
  return lateCall('terminate', loss, { point, moment: 'before' }, ['terminated'], (scene) => scene.overtake());
}

/** A call of a killed worker arrives once another worker has made one of its kind. */
export function lateAfterKill(point: PointName): Fault {
  return lateCall('worker SIGKILL', ({ lab }) => lab.workers.kill(), { point, moment: 'after' }, ['promoted']);
}

/** A call of an attempt that timed out arrives when the next attempt is at `point`. */
export function lateAfterFreeze(point: PointName): Fault {
  return lateCall('attempt timed out', ({ lab }) => lab.workers.freeze(FROZEN_MS), { point, moment: 'before' }, ['promoted']);
}

/** A call that a cancelled night gave up, since nothing was heard of it for the heartbeat time-out, arrives while the night cleans up. */
export function lateAfterCancel(point: PointName): Fault {
  const loss = async ({ night }: Scene) => void (await (await night).cancel());
  // The time-out speaks in place of the attempt that was to confirm the cancellation.
  return lateCall('cancel, attempt timed out', loss, { point, moment: 'before' }, ['cancelled', 'failed']);
}

/** @param next - what brings those on who are waited for, where they do not come by themselves */
function lateCall(
  id: string,
  loss: (scene: Scene) => Promise<void>,
  until: Until,
  outcomes: readonly NightOutcome[],
  next: (scene: Scene) => Promise<void> = () => Promise.resolve(),
): Fault {
  return {
    id: `${id}; its call arrives at "${POINTS[until.point].id}"`,
    outcomes,
    arm: (scene, point, from) => {
      let release: () => void = () => undefined;
      const released = new Promise<void>((resolve) => (release = resolve));
      const others = at('others', until.moment, async () => {
        release();
        await sleep(ARRIVAL_MS);
      });
      const held = at('held', 'before', async () => {
        await loss(scene);
        // Only now: the caller's own next call is not what is waited for, nor one of it that is on its way.
        await sleep(ARRIVAL_MS);
        await others.arm(scene, POINTS[until.point], 1);
        // Let go in any case: a worker could not end in good order with a call that is never answered.
        scene.beside(arrival(released, until).finally(release));
        await next(scene);
        await released;
      });
      return held.arm(scene, point, from);
    },
  };
}

async function arrival(released: Promise<void>, { point }: Until): Promise<void> {
  const patience = new AbortController();
  const late = sleep(PATIENCE_MS, true, { signal: patience.signal }).catch(() => false);
  const never = await Promise.race([released.then(() => false), late]);
  patience.abort();
  if (never) throw new Error(`nobody came to "${POINTS[point].id}" within ${PATIENCE_MS / 1_000} s`);
  await sleep(2 * ARRIVAL_MS);
}
