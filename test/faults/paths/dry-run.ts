import { isDeepStrictEqual } from 'node:util';
import { dryRunLeftovers, publishedState, startDryRun } from '../dry-runs';
import { NIGHT_LIMIT_MS } from '../nights';
import type { Path, PathScene } from './path';
import { heldTo } from './path';

const SECOND = 2;

/** A dry run of the second night: whatever strikes it, nothing that is published changes, and the next one clears what it left. */
export const dryRunPath: Path = {
  async begin(scene) {
    const { lab, spec, nights, violations } = scene;
    await nights.upload(SECOND);
    const before = await publishedState(lab, spec);
    return {
      start: () => startDryRun(lab, spec, SECOND, 0),
      async end(handle, expected) {
        const ended = await heldTo(scene, handle, expected, NIGHT_LIMIT_MS);
        const after = await publishedState(lab, spec);
        const changed = Object.keys(before).filter((part) => !isDeepStrictEqual(before[part], after[part]));
        if (changed.length > 0) violations.push(`X4: the dry run changed what is published: ${changed.join(', ')}`);
        return ended;
      },
    };
  },
  async afterwards(scene: PathScene) {
    const { lab, spec, nights, violations } = scene;
    await heldTo(scene, await startDryRun(lab, spec, SECOND, 0), ['promoted'], NIGHT_LIMIT_MS);
    const left = await dryRunLeftovers(lab, spec);
    if (left.length > 0) violations.push(`I7: a dry run has left ${left.join(', ')}`);
    await nights.end(SECOND, ['promoted'], violations);
  },
};
