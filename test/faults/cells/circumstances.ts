import { join } from 'node:path';
import { at } from './faults';
import type { Fault } from './scene';

const SKEWED_CLOCK = join(__dirname, '..', 'engines', 'skewed-clock.mjs');

/** The next night of the dataset starts while this one runs, and `then` strikes too: it waits for the turn, or takes over what is left. */
export function overtaken(then?: Fault): Fault {
  const overtake = at('the next night starts', 'before', (scene) => scene.overtake());
  if (then === undefined) return overtake;
  return {
    id: `${overtake.id}, ${then.id}`,
    outcomes: then.outcomes,
    arm: async (scene, point) => {
      // One after the other at the same point, the first of its calls and the next.
      const started = await overtake.arm(scene, point, 1);
      const struck = await then.arm(scene, point, 1);
      return () => Math.min(started(), struck());
    },
  };
}

/** A worker whose clock is wrong: nothing that it does may depend on it. */
export function skewedClock(minutes: number): Fault {
  return {
    id: `worker's clock ${minutes > 0 ? '+' : ''}${minutes} min`,
    outcomes: ['promoted'],
    arm: async ({ lab }) => {
      await lab.workers.restart({ nodeArgs: ['--import', SKEWED_CLOCK], env: { MERIDIAN_FAULT_CLOCK_MS: String(minutes * 60_000) } });
      return () => 1;
    },
  };
}
