import type { WorkflowHandle } from '@temporalio/client';
import { backfillWorkflowId } from '../../../domain/backfill';
import type { BackfillProgress } from '../../../domain/backfill-progress';
import { NIGHT_LIMIT_MS } from '../nights';
import { nightEnd } from '../raw-night';
import type { Path, PathScene } from './path';
import { heldTo, startOf } from './path';

const [FIRST, LAST] = [1, 4];
const MOST_ASKED = 2;

/** Three nights were missed, and a backfill loads them, two at once; one that was ended is started again, and loads what is left. */
export const backfillPath: Path = {
  async begin(scene) {
    for (let index = FIRST + 1; index <= LAST; index += 1) await scene.nights.upload(index);
    return { start: () => startBackfill(scene), end: (handle, expected) => heldTo(scene, handle, expected, NIGHT_LIMIT_MS) };
  },
  async afterwards(scene) {
    // One that follows at once finds the cycles of an ended one still being cancelled, and names them as not loaded: it is asked for again.
    for (let asked = 1; asked <= MOST_ASKED; asked += 1) {
      const handle = await startBackfill(scene);
      const { outcome } = await heldTo(scene, handle, ['promoted'], NIGHT_LIMIT_MS);
      if (outcome !== 'promoted' || ((await handle.result()) as BackfillProgress).notLoaded.length === 0) break;
    }
    scene.nights.loadedBySomebodyElse(FIRST + 1, LAST);
    await scene.nights.end(LAST + 1, ['promoted'], scene.violations);
  },
};

function startBackfill({ lab, spec }: PathScene): Promise<WorkflowHandle> {
  return startOf(lab.access.temporal, 'backfill', backfillWorkflowId(spec.name), { pipeline: spec.name, from: nightEnd(FIRST), to: nightEnd(LAST), concurrency: 2 });
}
