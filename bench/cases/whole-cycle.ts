import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DemoSummary } from '../../cli/demo/summary';
import { startMeridian } from '../../test/e2e/meridian-process';
import type { Benchmark } from '../benchmark';
import { combined, cpuSecondsOf, loadNow, peakMbOf, type Usage } from '../measure';
import { held, type Result, told } from '../results';
import { type LargeNight, runLargeNight } from './whole-cycle/large-night';
import type { CycleShares } from './whole-cycle/shares';
import { BenchStack } from './whole-cycle/stack';

const ANY_PORT = { MERIDIAN_TEMPORAL_PORT: '0', MERIDIAN_TEMPORAL_UI_PORT: '0', MERIDIAN_POSTGRES_PORT: '0', MERIDIAN_AWS_PORT: '0' };
/** What waits for what, under the name that the page has for it; the rest is `other`. */
const PARTS: Readonly<Record<string, readonly string[]>> = {
  discover: ['discoverBatches'],
  dedup: ['dedupChunks'],
  transform: ['prepareTransform', 'submitSparkJob', 'awaitSparkJob', 'readJobManifest'],
  check: ['startQualityRun', 'awaitQualityRun'],
  load: ['createCandidate', 'loadRelation', 'copyUnchangedDays', 'finishCandidate'],
  vacuum: ['vacuumCandidates'],
  promote: ['awaitSnapshots', 'promote'],
};

const LARGE_NIGHT = { name: '10m', records: 10_000_000 };

/** The demo's nights on a stack of their own, as a user runs them, and a large one beside the same night by hand (design section 10). */
export const wholeCycle: Benchmark = {
  name: 'whole-cycle',
  title: "where does a night's time go, and how much of it is orchestration?",
  async run({ quick, scratch, note }) {
    const home = join(scratch, 'home');
    mkdirSync(home);
    chmodSync(scratch, 0o755); // as root, PostgreSQL runs as another user
    chmodSync(home, 0o755);
    const env = { ...process.env, ...ANY_PORT, MERIDIAN_HOME: home };
    try {
      note(`the demo's ${quick ? 'first night' : 'three nights'}, on a stack of their own`);
      const { code, stdout, stderr } = await startMeridian(['demo', '--json', ...(quick ? ['--nights', '1'] : [])], env).finished;
      if (code !== 0) throw new Error(`The demo ended with ${code}: ${stderr.slice(-2_000)}`);
      const { nights } = JSON.parse(stdout) as DemoSummary;
      const stack = new BenchStack(home, env);
      const shares = await stack.sharesOf(nights.map(({ intervalEnd }) => intervalEnd));
      const pids = stack.pids();
      const seconds = shares.reduce((sum, each) => sum + each.seconds, 0);
      const usage = { seconds, cpuSeconds: cpuSecondsOf(pids), peakMb: peakMbOf(pids) };
      const results = shares.flatMap((each, index) => resultsOf(`night-${index + 1}`, each));
      if (quick) return { results, usage };
      const large = await runLargeNight(stack, LARGE_NIGHT.records, scratch, note);
      return { results: [...results, ...largeResults(large)], usage: combined([usage, large.ours]) };
    } finally {
      await startMeridian(['down', '--purge'], env).finished;
    }
  },
};

function resultsOf(night: string, { seconds, byActivity, orchestrationSeconds }: CycleShares): readonly Result[] {
  const name = (what: string) => `whole-cycle/${night}/${what}`;
  const parts = Object.keys(PARTS).flatMap((part) => {
    const spent = secondsOf(part, byActivity);
    return spent > 0 ? [told(name(part), spent / seconds, `of the night, ${spent.toFixed(2)} s`)] : [];
  });
  return [
    told(name('seconds'), seconds, 's'),
    ...parts,
    held(name('orchestration'), orchestrationSeconds / seconds, `of the night, ${orchestrationSeconds.toFixed(2)} s`, 'at most', 0.05),
  ];
}

function secondsOf(part: string, byActivity: CycleShares['byActivity']): number {
  return (PARTS[part] ?? []).reduce((sum, activity) => sum + (byActivity[activity] ?? 0), 0);
}

/** What EMR and Glue would have these vCPUs for: a run has all cores from its start to its end, used or not. */
function billedResults({ shares, rows }: LargeNight): readonly Result[] {
  const { cores } = loadNow();
  return (['transform', 'check'] as const).map((part) =>
    told(`whole-cycle/${LARGE_NIGHT.name}/${part}-vcpu`, (secondsOf(part, shares.byActivity) * cores) / (rows[part] / 1e6), `vCPU-s a million rows, ${cores} vCPUs for all of the run`),
  );
}

function largeResults(large: LargeNight): readonly Result[] {
  const { shares, ours, byHand, byHandSteps } = large;
  const name = (what: string) => `whole-cycle/${LARGE_NIGHT.name}/${what}`;
  const megabytes = (what: string, { peakMb }: Usage) => (peakMb === undefined ? [] : [told(name(what), peakMb, 'MB at once, of all processes')]);
  return [
    ...resultsOf(LARGE_NIGHT.name, shares),
    told(name('rate'), LARGE_NIGHT.records / shares.seconds, 'records/s'),
    ...billedResults(large),
    told(name('cpu'), ours.cpuSeconds, 'CPU-s of all processes'),
    ...megabytes('memory', ours),
    ...Object.entries(byHandSteps).map(([step, seconds]) => told(name(`by-hand-${step}`), seconds / byHand.seconds, `of the night by hand, ${seconds} s`)),
    told(name('by-hand-seconds'), byHand.seconds, 's'),
    told(name('by-hand-cpu'), byHand.cpuSeconds, 'CPU-s of all processes'),
    ...megabytes('by-hand-memory', byHand),
    told(name('seconds-by-hand'), ours.seconds / byHand.seconds, 'of the seconds by hand'),
    told(name('cpu-by-hand'), ours.cpuSeconds / byHand.cpuSeconds, 'of the CPU-s by hand'),
  ];
}
