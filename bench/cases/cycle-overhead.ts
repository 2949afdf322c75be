import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchContext, Benchmark } from '../benchmark';
import { ROOT } from '../checkout';
import type { Persistence } from '../engines/dev-server';
import { combined, measured, median, peakMbOf, quantile, type Usage } from '../measure';
import { held, type Result, told } from '../results';
import { CycleRig } from './cycle-overhead/cycles';

const PERSISTENCES: readonly Persistence[] = ['memory', 'file'];
const DATASETS = 200;
/** Cycles a minute with 200 at once, design section 10. */
const LEAST_A_MINUTE = { memory: 300, file: 100 } as const;
const WARM_UP = 3;

/** What a cycle costs whose stages do nothing: Temporal's server, our workflow code, our worker's settings. */
export const cycleOverhead: Benchmark = {
  name: 'cycle-overhead',
  title: 'what does a cycle cost whose stages answer at once?',
  async run(context) {
    const results: Result[] = [];
    const usages: Usage[] = [];
    for (const persistence of PERSISTENCES) {
      const part = await measurePersistence(context, persistence);
      results.push(...part.results);
      usages.push(...part.usages);
    }
    return { results, usage: combined(usages) };
  },
};

async function measurePersistence({ quick, scratch, note, against }: BenchContext, persistence: Persistence) {
  const start = async (name: string, root: string) => {
    const home = join(scratch, `${persistence}-${name}`);
    mkdirSync(home);
    return CycleRig.start(home, persistence, root);
  };
  const rig = await start('present', ROOT);
  const other = against === undefined ? undefined : await start('other', against.root);
  const name = (what: string) => `cycle-overhead/${persistence}/${what}`;
  const results: Result[] = [];
  const usages: Usage[] = [];
  try {
    for (const each of [rig, other]) await each?.oneAtATime(WARM_UP);
    const alone = await measured(rig.pids, () => rig.oneAtATime(quick ? 8 : 30));
    if (other !== undefined && against !== undefined) {
      const theirs = await measured(other.pids, () => other.oneAtATime(quick ? 8 : 30));
      results.push(told(name(`one-at-a-time-by-${against.commit}`), median(alone.result) / median(theirs.result), 'of its median seconds'));
      results.push(told(name(`one-at-a-time-cpu-by-${against.commit}`), alone.usage.cpuSeconds / theirs.usage.cpuSeconds, 'of its CPU-s'));
    }
    usages.push(alone.usage);
    const size = await rig.historySize();
    results.push(held(name('one-at-a-time-median'), median(alone.result), 's', 'at most', 1));
    results.push(told(name('one-at-a-time-cpu'), alone.usage.cpuSeconds / alone.result.length, 'CPU-s a cycle'));
    if (persistence === 'memory') {
      results.push(told(name('history-events'), size.events, 'events a cycle'));
      results.push(told(name('activities'), size.activities, 'activities a cycle'));
      results.push(told(name('workflow-tasks'), size.workflowTasks, 'workflow tasks a cycle'));
      results.push(told(name('actions'), size.actions, 'actions a cycle'));
    }
    for (const count of quick ? [50] : persistence === 'memory' ? [200, 1_000] : [200]) {
      note(`${count} cycles at once, ${persistence}`);
      const wave = await measured(rig.pids, () => rig.atOnce(count, DATASETS));
      if (other !== undefined && against !== undefined) {
        const theirs = await measured(other.pids, () => other.atOnce(count, DATASETS));
        results.push(told(name(`${count}-at-once-by-${against.commit}`), wave.usage.seconds / theirs.usage.seconds, 'of its seconds'));
        results.push(told(name(`${count}-at-once-cpu-by-${against.commit}`), wave.usage.cpuSeconds / theirs.usage.cpuSeconds, 'of its CPU-s'));
      }
      const workerMb = peakMbOf([rig.workerPid]);
      usages.push(wave.usage);
      const { seconds, cpuSeconds } = wave.usage;
      results.push(held(name(`${count}-at-once-rate`), (count / seconds) * 60, 'cycles/min', 'at least', LEAST_A_MINUTE[persistence]));
      results.push(held(name(`${count}-at-once-cpu`), cpuSeconds / count, 'CPU-s a cycle, server included', 'at most', 0.35));
      results.push(told(name(`${count}-at-once-p95`), quantile(wave.result, 0.95), 's'));
      if (workerMb !== undefined) results.push(held(name(`${count}-at-once-worker-memory`), workerMb, 'MB of the worker', 'at most', 512));
    }
  } finally {
    await Promise.all([rig.stop(), other?.stop()]);
  }
  return { results, usages };
}
