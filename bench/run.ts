/**
 * `npm run bench [-- name…] [--quick] [--json]`: each benchmark, one after another, beside what it is held against. Ends with exit
 * code 1 when a number is on the wrong side of its limit or a benchmark failed, 2 for wrong usage.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { createOutput, messageOf, type Output, UsageError } from '../cli/output';
import { testEnvironment } from '../test/support/toolchain-environment';
import { type Benchmark } from './benchmark';
import { BENCHMARKS } from './cases';
import { withCheckout } from './checkout';
import { loadNow } from './measure';
import { writePage } from './page';
import { writeScalePage } from './scale/write';
import { machine, presentCommit, type RecordedRun, recordRun } from './results';
import { resultsText, runHeading } from './text';

interface Options {
  readonly quick?: boolean;
  readonly json?: boolean;
  readonly record: boolean;
  readonly plots?: boolean;
  readonly against?: string;
}

async function main(names: readonly string[], options: Options): Promise<void> {
  const output = createOutput({ json: options.json === true });
  if (options.plots === true) {
    output.result({ written: [writePage(), writeScalePage()] }, 'docs/performance.md and docs/scale.md are made anew');
    return;
  }
  const chosen = choose(names);
  Object.assign(process.env, (await testEnvironment()).env);
  const runs: RecordedRun[] = [];
  const failed: { readonly bench: string; readonly message: string }[] = [];
  for (const bench of chosen) {
    try {
      const run = await runOne(bench, options, output);
      runs.push(run);
      if (options.record) recordRun(run);
      output.note(resultsText(run));
    } catch (error) {
      failed.push({ bench: bench.name, message: messageOf(error) });
      output.note(`${bench.name} failed: ${messageOf(error)}`);
    }
  }
  if (options.record) {
    writePage();
    writeScalePage();
  }
  const results = runs.flatMap((run) => run.results);
  const broken = results.filter(({ holds }) => holds === false).map(({ name }) => name);
  const summary = `${results.filter(({ holds }) => holds === true).length} limits held, ${broken.length} not${broken.length === 0 ? '' : `: ${broken.join(', ')}`}${failed.length === 0 ? '' : `; failed: ${failed.map(({ bench }) => bench).join(', ')}`}`;
  output.result({ holds: broken.length === 0 && failed.length === 0, results, runs: runs.map(({ bench, size, commit, load, seconds, cpuSeconds, peakMb }) => ({ bench, size, commit, load, seconds, cpuSeconds, peakMb })), failed }, summary);
  process.exitCode = broken.length === 0 && failed.length === 0 ? 0 : 1;
}

async function runOne(bench: Benchmark, { quick = false, against }: Options, output: Output): Promise<RecordedRun> {
  const scratch = mkdtempSync(join(tmpdir(), 'meridian-bench-'));
  const head = { bench: bench.name, size: quick ? 'quick' : 'full', commit: presentCommit(), startedAt: new Date().toISOString(), machine: machine() } as const;
  const before = loadNow().load;
  output.note(runHeading(bench, head.size, before));
  try {
    const context = { quick, scratch, note: (message: string) => output.note(`  ${message}`) };
    const { results, usage } = against === undefined ? await bench.run(context) : await withCheckout(against, scratch, (checkout) => bench.run({ ...context, against: checkout }));
    return { ...head, load: [before, loadNow().load], ...usage, results };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function choose(names: readonly string[]): readonly Benchmark[] {
  const unknown = names.filter((name) => !BENCHMARKS.some((bench) => bench.name === name));
  if (unknown.length > 0) throw new UsageError(`There is no benchmark ${unknown.join(', ')}: there are ${BENCHMARKS.map(({ name }) => name).join(', ')}`);
  return names.length === 0 ? BENCHMARKS : BENCHMARKS.filter(({ name }) => names.includes(name));
}

const program = new Command('bench')
  .description('Measures Meridian against its limits and its peers, side by side in one run; results go to bench/results.jsonl and docs/performance.md')
  .argument('[name...]', `which; all unless named:\n${BENCHMARKS.map(({ name, title }) => `  ${name}: ${title}`).join('\n')}`)
  .option('--quick', 'small inputs, some four minutes for all')
  .option('--json', 'one document on stdout: results[] with name, value, unit, limit, ratio, holds')
  .option('--against <commit>', 'measure that commit by turns with the present code, and say the ratios (cycle-overhead, discovery, dedup)')
  .option('--no-record', 'leave bench/results.jsonl and docs/performance.md as they are')
  .option('--plots', 'only make docs/performance.md anew from bench/results.jsonl')
  .exitOverride()
  .action(main);

program.parseAsync().catch((error: unknown) => {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2;
    return;
  }
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
});
