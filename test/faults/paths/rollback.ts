import { NIGHT_LIMIT_MS } from '../nights';
import type { Path } from './path';
import { heldTo, startOf } from './path';

const SECOND = 2;

/** The second night is live and wrong: `rollback` brings the first one back, and the third one promotes over it. */
export const rollbackPath: Path = {
  async begin(scene) {
    const { lab, spec, nights, readers, violations } = scene;
    await nights.end(SECOND, ['promoted'], violations);
    let over: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => (over = resolve));
    let expecting: Promise<void> = Promise.resolve();
    return {
      async start() {
        // An earlier night is what the readers are to see, from before the first of them can.
        await new Promise<void>((begun) => {
          expecting = readers.expectEarlierNights(() => {
            begun();
            return ended;
          });
        });
        return startOf(lab.access.temporal, 'rollback', `rollback/${spec.name}`, { pipeline: spec.name, by: 'ada', reason: 'wrong data', hold: false });
      },
      async end(handle, expected) {
        try {
          return await heldTo(scene, handle, expected, NIGHT_LIMIT_MS);
        } finally {
          over();
          await expecting;
        }
      },
    };
  },
  async afterwards({ nights, violations }) {
    await nights.end(SECOND + 1, ['promoted'], violations);
  },
};
