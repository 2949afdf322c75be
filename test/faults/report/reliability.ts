import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CELLS } from '../cells/cells';
import { boardSvg } from './board';
import { latestOf, RECORD_FOLDER, type RecordedScenario, recordedScenarios, type RecordedSoak, recordedSoaks, type RecordedStorm, recordedStorms } from './record';

const PAGE = `${RECORD_FOLDER}.md`;
const BOARD = join(RECORD_FOLDER, 'board.svg');
/** Seeds of each cell that the record is to come to. */
const SEEDS_WANTED = 20;
const HEARTBEAT_SECONDS = 5;

/** Writes docs/reliability.md and its picture from the record; the same record gives the same page. */
export function writeReliability(): void {
  const scenarios = recordedScenarios();
  mkdirSync(RECORD_FOLDER, { recursive: true });
  writeFileSync(PAGE, reliabilityPage(scenarios, recordedStorms(), recordedSoaks()));
  writeFileSync(BOARD, boardSvg(latestOf(scenarios).latest));
}

export function reliabilityPage(record: readonly RecordedScenario[], storms: readonly RecordedStorm[], soaks: readonly RecordedSoak[]): string {
  const { latest: scenarios, mended } = latestOf(record);
  const cells = new Map<string, number>();
  for (const { cell } of scenarios) cells.set(cell, (cells.get(cell) ?? 0) + 1);
  const seeds = CELLS.map((cell) => cells.get(cell.id) ?? 0);
  const sum = (of: (each: RecordedScenario) => number) => scenarios.reduce((total, each) => total + of(each), 0);
  const most = (of: (each: RecordedScenario) => number) => scenarios.reduce((highest, each) => Math.max(highest, of(each)), 0);
  const stormSum = (of: (each: RecordedStorm) => number) => storms.reduce((total, each) => total + of(each), 0);
  const recoveries = scenarios.flatMap(({ recoveryMs, cell }) => (recoveryMs === undefined || !cell.includes('SIGKILL') ? [] : [recoveryMs])).sort((a, b) => a - b);
  const broken = scenarios.filter(({ violations }) => violations.length > 0);
  const reads = sum(({ counts }) => counts.reads) + stormSum((storm) => storm.reads);
  const bad = sum(({ counts }) => counts.badReads) + stormSum((storm) => storm.failed + storm.empty + storm.mixed + storm.stale);
  const promotions = sum(({ counts }) => counts.promotions) + stormSum((storm) => storm.promotions);
  const rows: readonly (readonly [string, string])[] = [
    ['cells (stage × fault × moment)', `${seeds.filter((count) => count > 0).length} of ${CELLS.length} run`],
    ['scenarios', `${scenarios.length}; seeds a cell: ${Math.min(...seeds)} to ${Math.max(...seeds)} of the ${SEEDS_WANTED} aimed at`],
    ['commits', commitsOf(scenarios)],
    ['scenarios that broke an invariant', `${broken.length} of ${scenarios.length}`],
    ['records lost', `${sum(({ counts }) => counts.lost)} of ${number(sum(({ counts }) => counts.records))}`],
    ['records duplicated', `${sum(({ counts }) => counts.duplicated)} of ${number(sum(({ counts }) => counts.records))}`],
    ['bad lines that went to quarantine, each once, with its reason', number(sum(({ counts }) => counts.quarantined))],
    ['failed, empty, mixed or stale reads', `${bad} of ${number(reads)} over ${number(promotions)} promotions, READ COMMITTED and REPEATABLE READ`],
    ['external jobs per token, at most', String(most(({ counts }) => counts.jobsPerTokenMax))],
    ['executions stuck', String(scenarios.filter(({ outcome }) => outcome === 'stuck').length)],
    ['histories replayed right after they were made', number(sum(({ counts }) => counts.histories))],
    ['notifications repeated (only where the answer of SNS was lost, under the same outcome id)', String(sum(({ counts }) => counts.repeatedNotifications))],
    [
      "from a worker's SIGKILL until its work went on elsewhere",
      recoveries.length === 0
        ? 'not measured yet'
        : `median ${seconds(quantile(recoveries, 0.5))}, p95 ${seconds(quantile(recoveries, 0.95))}, longest ${seconds(quantile(recoveries, 1))} of ${recoveries.length} (heartbeat time-out ${HEARTBEAT_SECONDS} s; aim: p95 under ${HEARTBEAT_SECONDS + 10} s)`,
    ],
  ];
  return [
    '# Reliability',
    '',
    'Made by `npm run faults` from its own record, `docs/reliability/scenarios.jsonl`: not edited by hand. Each scenario is one night of',
    'a pipeline of its own, or what somebody does with one (a rollback, an approval, a rerun, a dry run, a backfill), on real engines',
    '(Temporal, PostgreSQL, DuckDB, the local AWS), broken at one place; the Spark job and the',
    "gate's evaluator are scripted. An auditor then recounts everything from outside (`test/faults/audit`).",
    '',
    '| what | found |',
    '|---|---|',
    ...rows.map(([what, found]) => `| ${what} | ${found} |`),
    '',
    '![Faults by stages; green: held, red: an invariant broke, grey: not run yet](reliability/board.svg)',
    '',
    ...stormSection(storms),
    ...soakSection(soaks),
    ...brokenSection('What broke', broken),
    ...brokenSection('What broke before, and is mended: the same cell and seed held when they were run again', mended),
  ].join('\n');
}

function stormSection(storms: readonly RecordedStorm[]): readonly string[] {
  if (storms.length === 0) return [];
  return [
    '## The promotion storm',
    '',
    '`npm run faults:storm`: promotions one after another beside readers of both isolation levels, some of 4 s; what they waited more than without promotions.',
    '',
    '| commit | promotions | reads | failed, empty, mixed, stale | blocked | p99 of a read without and with promotions, ms | longest added wait, ms | seconds |',
    '|---|---|---|---|---|---|---|---|',
    ...storms.map(
      (storm) =>
        `| ${storm.commit} | ${number(storm.promotions)} | ${number(storm.reads)} | ${storm.failed}, ${storm.empty}, ${storm.mixed}, ${storm.stale} | ${storm.blocked} | ${ms(storm.p99Ms.quiet)}, ${ms(storm.p99Ms.promoting)} | ${ms(storm.addedWaitMs)} | ${Math.round(storm.seconds)} |`,
    ),
    '',
  ];
}

function soakSection(soaks: readonly RecordedSoak[]): readonly string[] {
  if (soaks.length === 0) return [];
  return [
    '## The soak',
    '',
    '`npm run faults:soak`: nights of one pipeline, one after another, nine of ten with a fault drawn by the seed; what it takes up afterwards.',
    '',
    '| commit | seed | nights | outcomes | violations | tables | attempts, jobs, turns, cycles left open | worker, MiB: first, last | seconds |',
    '|---|---|---|---|---|---|---|---|---|',
    ...soaks.map(({ commit, seed, nights, outcomes, violations, first, last, seconds }) => {
      const ended = Object.entries(outcomes).map(([outcome, count]) => `${outcome} ${count}`);
      const open = [last.attempts, last.openJobs, last.heldTurns, last.openCycles].join(', ');
      return `| ${commit} | ${seed} | ${nights} | ${ended.join(', ')} | ${violations.length} | ${last.tables} | ${open} | ${Math.round(first.workerMiB)}, ${Math.round(last.workerMiB)} | ${seconds} |`;
    }),
    '',
  ];
}

function brokenSection(title: string, broken: readonly RecordedScenario[]): readonly string[] {
  if (broken.length === 0) return [];
  const lines = broken.map(({ cell, seed, commit, violations }) => `| ${cell} | ${seed} | ${commit} | ${(violations[0] ?? '').replaceAll('|', '\\|').slice(0, 200)} |`);
  return [`## ${title}`, '', '| cell | seed | commit | first violation |', '|---|---|---|---|', ...lines, ''];
}

function commitsOf(scenarios: readonly RecordedScenario[]): string {
  const commits = [...new Set(scenarios.map(({ commit }) => commit))];
  return commits.length <= 2 ? commits.join(', ') : `${commits[0]} … ${commits.at(-1)} (${commits.length})`;
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? 0;
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

function ms(value: number): string {
  return value.toFixed(1);
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}
