/**
 * `npm run faults`: one seed of every cell, on real engines; the next seed each time. Broken off, the next run goes on with the cells
 * that are missing. Ends with exit code 1 when a scenario broke an invariant, and says how to run that one again.
 */
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { Command } from 'commander';
import { CELLS } from './cells/cells';
import { Lab } from './lab';
import { latestOf, presentCommit, type RecordedScenario, recordedScenarios, recordScenario } from './report/record';
import { writeReliability } from './report/reliability';
import { prepare, runScenario, type Scenario, scenarioOf, type ScenarioResult } from './scenario';

interface Options {
  readonly cells?: string;
  readonly seed?: number;
  readonly minutes: number;
  readonly list?: boolean;
  readonly record: boolean;
  readonly json?: boolean;
}

/** Their first nights run at once. */
const BLOCK = 8;

async function main(options: Options): Promise<void> {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const wanted = CELLS.filter((cell) => options.cells === undefined || new RegExp(options.cells).test(cell.id));
  if (options.list === true) return void process.stdout.write(`${wanted.map((cell) => cell.id).join('\n')}\n${wanted.length} cells\n`);
  const scenarios = due(wanted.map((cell) => CELLS.indexOf(cell)), recordedScenarios(), options.seed);
  const deadlineMs = Date.now() + options.minutes * 60_000;
  const commit = options.record ? presentCommit() : '';
  const broken: ScenarioResult[] = [];
  let done = 0;
  const lab = await Lab.start(scenarios.map(({ spec }) => spec));
  let isStopping = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    // Nobody waits for the scenario at hand: what it runs on is taken away, and it is not on record.
    process.once(signal, () => {
      isStopping = true;
      void lab.stop().finally(() => process.exit(130));
    });
  }
  // What nobody awaited, such as a worker that did not start: the engines must not outlive this process.
  process.once('uncaughtException', (error) => {
    isStopping = true;
    process.stderr.write(`${error.stack ?? error.message}\n`);
    void lab.stop().finally(() => process.exit(1));
  });
  try {
    for (let at = 0; at < scenarios.length && Date.now() < deadlineMs && !isStopping; at += BLOCK) {
      const block = scenarios.slice(at, at + BLOCK);
      await prepare(lab, block);
      for (const scenario of block) {
        const result = await runScenario(lab, scenario);
        done += 1;
        if (options.record) recordScenario(result, commit);
        if (result.violations.length > 0) broken.push(result);
        if (options.json === true) process.stdout.write(`${JSON.stringify(result)}\n`);
        else say(result, done, scenarios.length);
      }
    }
  } finally {
    if (!isStopping) await lab.stop();
    if (options.record) writeReliability();
  }
  process.stdout.write(`\n${done} of ${scenarios.length} scenarios, ${broken.length} broke an invariant\n`);
  for (const { cell, seed } of broken) process.stdout.write(`  npm run faults -- --cells '^${cell.replaceAll(/[+().]/g, '\\$&').replaceAll("'", String.raw`'\''`)}$' --seed ${seed}\n`);
  if (broken.length > 0 || done === 0) process.exitCode = 1;
}

/**
 * One seed of every cell: the next one of those that are behind. A cell that broke comes first, with the seed with which it did.
 */
function due(cells: readonly number[], record: readonly RecordedScenario[], seed: number | undefined): readonly Scenario[] {
  const { latest } = latestOf(record);
  const known = new Map<string, number>();
  for (const each of latest) known.set(each.cell, Math.max(known.get(each.cell) ?? 0, each.seed));
  const again = latest.filter((each) => each.violations.length > 0);
  const next = cells.map((index) => ({ index, seed: seed ?? (known.get(CELLS[index]?.id ?? '') ?? 0) + 1 }));
  const round = Math.min(...next.map((each) => each.seed));
  const broken = seed === undefined ? cells.flatMap((index) => again.filter(({ cell }) => cell === CELLS[index]?.id).map((each) => ({ index, seed: each.seed }))) : [];
  return [...broken, ...next.filter((each) => each.seed === round)].flatMap(({ index, seed: own }) =>
    CELLS.slice(index, index + 1).map((cell) => scenarioOf(cell, index, own)),
  );
}

function say(result: ScenarioResult, done: number, of: number): void {
  const { cell, seed, outcome, seconds, violations, recoveryMs } = result;
  const recovered = recoveryMs === undefined ? '' : `, going on after ${(recoveryMs / 1_000).toFixed(1)} s`;
  process.stdout.write(`${violations.length === 0 ? '✔' : '✘'} ${done}/${of} ${cell} · seed ${seed}: ${outcome}, ${seconds.toFixed(1)} s${recovered}\n`);
  for (const violation of violations.slice(0, 8)) process.stdout.write(`    ${violation}\n`);
}

const whole = (text: string) => {
  if (!/^\d+$/.test(text)) throw new Error(`Expected a whole number, found "${text}"`);
  return Number(text);
};

new Command('faults')
  .description('breaks cycles at every step, and recounts from outside that nothing is lost, nothing twice, nobody blocked')
  .option('--cells <regex>', 'only the cells whose name matches')
  .option('--seed <n>', 'this seed instead of the next one', whole)
  .option('--minutes <n>', 'start no further block of scenarios after this long', whole, 60)
  .option('--no-record', 'leave the record and docs/reliability.md as they are')
  .option('--json', 'each result as a line of JSON')
  .option('--list', 'name the cells, and end')
  .action((options: Options) => main(options))
  .parseAsync()
  .catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exitCode = 1;
  });
