/**
 * `npm run faults:soak`: many nights of one pipeline, one after another, most of them broken by a fault drawn by the seed. At the end
 * everything is recounted, and nothing may have grown: tables, items of the ledger that are not records, jobs, scratch, memory.
 */
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { Command } from 'commander';
import { BUNDLE_CACHE } from '../support/worker';
import { audit } from './audit/audit';
import { type Cell, CELLS } from './cells/cells';
import { faultyNight } from './faulty-night';
import { Lab } from './lab';
import { Nights } from './nights';
import { struckNight } from './paths/night';
import { faultPipeline } from './pipeline';
import { recordSoak } from './report/record';
import { writeReliability } from './report/reliability';
import { prepare } from './scenario';
import { type Footprint, measure } from './soak/footprint';

/** What a soak came to. */
export interface SoakSummary {
  readonly seed: number;
  readonly nights: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly violations: readonly string[];
  readonly first: Footprint;
  readonly last: Footprint;
  readonly seconds: number;
}

/** Faults that hold a night for a minute, or that other means measure. */
const TOO_LONG = /a reader keeps|disk full|clock|no answer for|body stalls|takes minutes|confirm the|expire|its call arrives/;
/** Each tenth night is left alone. */
const CLEAN = 10;
/** What may stay of nights that are over: kept versions and the newest, of two relations. */
const TABLES = 6;

async function soak({ nights: count, seed, record }: { readonly nights: number; readonly seed: number; readonly record: boolean }): Promise<SoakSummary> {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const startedMs = Date.now();
  const spec = faultPipeline(`soak-s${seed}`);
  const lab = await Lab.start([spec]);
  try {
    const [cell] = CELLS;
    if (cell === undefined) throw new TypeError('unreachable: the board has cells');
    await prepare(lab, [{ cell, seed, spec }]);
    const random = xoroshiro128plus(seed);
    const candidates = CELLS.filter(({ id, path }) => path === 'night' && !TOO_LONG.test(id));
    const nights = new Nights(lab, spec, seed);
    const violations: string[] = [];
    const outcomes: Record<string, number> = {};
    const first = await measure(lab, spec);
    for (let index = 2; index <= count; index += 1) {
      const drawn: Cell | undefined = index % CLEAN === 0 ? undefined : candidates[uniformInt(random, 0, candidates.length - 1)];
      const before = violations.length;
      await nights.upload(index);
      const { outcome } =
        drawn === undefined
          ? await nights.end(index, ['promoted'], violations)
          : (await faultyNight(lab, { cell: drawn, seed: seed * 1_000 + index, spec, index, struck: struckNight(nights, index, violations) }, nights, violations)).ended;
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      process.stdout.write(`${violations.length === before ? '✔' : '✘'} night ${index}/${count}: ${outcome} (${drawn?.id ?? 'left alone'})\n`);
    }
    await nights.cleanUntilPromoted(count + 1, violations);
    const last = await measure(lab, spec);
    await lab.workers.stop(); // what they leave behind is their own business only while they run
    const report = await audit({
      spec,
      access: lab.access,
      nights: nights.audited,
      outcomes: await lab.outcomes.drain(),
      lostNotification: true,
      workers: { workDirs: lab.workers.workDirs, running: false, killed: true },
      bundleDir: BUNDLE_CACHE,
    });
    violations.push(...report.violations.map(({ invariant, message }) => `${invariant}: ${message}`), ...growth(last));
    const summary = { seed, nights: count, outcomes, violations, first, last, seconds: Math.round((Date.now() - startedMs) / 1_000) };
    if (record) recordSoak(summary);
    return summary;
  } finally {
    await lab.stop();
    if (record) writeReliability();
  }
}

function growth(last: Footprint): readonly string[] {
  const faults: string[] = [];
  const most = (what: string, found: number, limit: number) => {
    if (found > limit) faults.push(`grown: ${found} ${what}, at most ${limit} were expected`);
  };
  most('tables', last.tables, TABLES);
  most('attempts announced in the ledger', last.attempts, 0);
  most('jobs not ended', last.openJobs, 0);
  most('turns held', last.heldTurns, 0);
  most('cycles open', last.openCycles, 0);
  most('partitions of the gate', last.gatePartitions, 0);
  most('MiB of the worker', Math.round(last.workerMiB), 512 + 256); // design section 10: beside what DuckDB may take
  return faults;
}

const whole = (text: string) => {
  if (!/^\d+$/.test(text)) throw new Error(`Expected a whole number, found "${text}"`);
  return Number(text);
};

new Command('soak')
  .description('many nights of one pipeline with random faults: nothing is stuck, nothing grows')
  .option('--nights <n>', 'how many', whole, 60)
  .option('--seed <n>', 'of the faults and the data', whole, 1)
  .option('--no-record', 'leave the record and docs/reliability.md as they are')
  .action(async (options: { readonly nights: number; readonly seed: number; readonly record: boolean }) => {
    const summary = await soak(options);
    process.stdout.write(`${JSON.stringify(summary, undefined, 1)}\n`);
    process.exitCode = summary.violations.length === 0 ? 0 : 1;
  })
  .parseAsync()
  .catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exitCode = 1;
  });
