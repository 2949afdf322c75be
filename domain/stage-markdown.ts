import { utcMinute } from './announcement';
import type { Stage } from './cycle';
import type { CycleProgress, StageProgress } from './progress';

const SIGN: Readonly<Record<StageProgress['state'], string>> = {
  waiting: '·',
  running: '▶',
  done: '✔',
  skipped: '–',
  failed: '✘',
};

const NO_BREAK = '\u00a0'; // the Web UI's table is narrow

/** What a stage waits for until it has something of its own to say. */
const WAITS_FOR: Readonly<Record<Stage, string>> = {
  resolve: 'a worker that knows the declaration',
  turn: "the dataset's turn, which another cycle may hold",
  discover: "the listing of the interval's raw objects",
  dedup: 'the first chunk of records',
  transform: "the job's input to be written and the job to be accepted",
  check: "the gate's rules to be evaluated",
  load: 'the first candidate table',
  promote: 'readers of older snapshots to end, then the swap of the views',
  publish: 'objects to be marked and partitions to be added',
  diff: 'the comparison with what is served',
  keep: 'the end of the time for which the shadow is kept',
};

/** The stage table as Markdown, with what is waited for or comes next: the Web UI's "current details" of a cycle. */
export function stageMarkdown(progress: CycleProgress): string {
  const interval = progress.generation === undefined ? '' : `, ${utcMinute(progress.intervalStart)} to ${utcMinute(progress.intervalEnd)}, generation ${progress.generation}`;
  const title = `**${progress.pipeline}**${interval}${progress.outcome === undefined ? '' : `: **${progress.outcome}**`}`;
  const rows = progress.stages.map(
    (row) => `| ${SIGN[row.state]}${NO_BREAK}${row.stage} | ${row.state} | ${seconds(row)} | ${(row.detail ?? '').replaceAll('|', '\\|')} |`,
  );
  const table = ['| stage | state | time | what |', '|---|---|---|---|', ...rows];
  return [title, ...nowLines(progress.stages), ...nextLines(progress), '', ...table].join('\n');
}

/** What it waits for, since when, and the stage that comes after it. */
function nowLines(stages: readonly StageProgress[]): readonly string[] {
  const at = stages.findIndex((row) => row.state === 'running');
  const row = stages[at];
  if (row === undefined) return [];
  const since = row.startedAtMs === undefined ? '' : ` since ${new Date(row.startedAtMs).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
  const next = stages.slice(at + 1).find((each) => each.state === 'waiting');
  return ['', `Now: **${row.stage}**${since}: ${row.detail ?? `waits for ${WAITS_FOR[row.stage]}`}${next === undefined ? '' : `; next: ${next.stage}`}`];
}

function nextLines({ next = [] }: CycleProgress): readonly string[] {
  return next.length === 0 ? [] : ['', 'What you may do:', '', ...next.map((step) => `- ${step.what}: \`${step.command}\``)];
}

function seconds(row: StageProgress): string {
  if (row.startedAtMs === undefined || row.finishedAtMs === undefined) return '';
  return `${((row.finishedAtMs - row.startedAtMs) / 1000).toFixed(1)}${NO_BREAK}s`;
}
