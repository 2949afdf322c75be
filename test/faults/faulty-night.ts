import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import type { Cell } from './cells/cells';
import { POINTS } from './cells/points';
import type { Scene } from './cells/scene';
import type { EndedNight, Lab } from './lab';
import type { Nights } from './nights';
import type { Struck } from './paths/path';
import { recoveryMs } from './recovery';

export interface FaultyNight {
  readonly cell: Cell;
  readonly seed: number;
  readonly spec: PipelineSpec;
  /** Which night of the pipeline. */
  readonly index: number;
  /** What the fault strikes: that night, or what somebody does with it. */
  readonly struck: Struck;
}

/** Runs one execution with the cell's fault in it, and sets the lab right again. What is not as it should be is added to `violations`. */
export async function faultyNight(
  lab: Lab,
  { cell, seed, spec, index, struck }: FaultyNight,
  nights: Nights,
  violations: string[],
): Promise<{ readonly ended: EndedNight; readonly lostWorker: boolean; readonly recoveryMs?: number }> {
  const point = POINTS[cell.point];
  const random = xoroshiro128plus(seed * 7_919 + 1);
  const besides: Promise<unknown>[] = [];
  let begun: (handle: Awaited<Scene['night']>) => void = () => undefined;
  const scene: Scene = {
    lab,
    spec,
    night: new Promise((resolve) => (begun = resolve)),
    random: (least, most) => uniformInt(random, least, most),
    overtake: () => nights.start(index + 1).then(() => undefined),
    beside: (work) => void besides.push(work.catch((error: unknown) => violations.push(`the fault itself failed: ${String(error)}`))),
  };
  const strikes = await cell.fault.arm(scene, point, scene.random(1, point.calls));
  try {
    const handle = await struck.start();
    begun(handle);
    const ended = await struck.end(handle, cell.fault.outcomes);
    if (strikes() === 0) violations.push(`the fault did not strike: nothing was tested`);
    const [loss] = lab.workers.losses;
    for (let done = 0; done < besides.length; done = besides.length) await Promise.all(besides);
    const recovered = loss === undefined ? undefined : await recoveryMs(lab.access.temporal.workflow.getHandle(handle.workflowId), loss.atMs);
    return { ended, lostWorker: loss !== undefined, ...(recovered === undefined ? {} : { recoveryMs: recovered }) };
  } finally {
    await Promise.all(besides);
    lab.engines.disarm();
    await lab.engines.repair();
    const crashed = await lab.workers.settle();
    if (crashed !== undefined) violations.push(`I8: the worker ended by itself: ${crashed}`);
  }
}
