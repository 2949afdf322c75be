import type { CycleProgress, StageProgress } from './progress';

const SIGN: Readonly<Record<StageProgress['state'], string>> = {
  waiting: '·',
  running: '▶',
  done: '✔',
  skipped: '–',
  failed: '✘',
};

/** The stage table as Markdown: the Web UI's "current details" of a running cycle. */
export function stageMarkdown(progress: CycleProgress): string {
  const title = `**${progress.pipeline}** [${progress.intervalStart}, ${progress.intervalEnd})${
    progress.generation === undefined ? '' : ` generation ${progress.generation}`
  }${progress.outcome === undefined ? '' : `: **${progress.outcome}**`}`;
  const rows = progress.stages.map(
    (row) => `| ${SIGN[row.state]} ${row.stage} | ${row.state} | ${seconds(row)} | ${(row.detail ?? '').replaceAll('|', '\\|')} |`,
  );
  return [title, ...nowLines(progress.stages), '', '| stage | state | time | what |', '|---|---|---|---|', ...rows].join('\n');
}

/** What it waits for, since when, and what comes after it. */
function nowLines(stages: readonly StageProgress[]): readonly string[] {
  const at = stages.findIndex((row) => row.state === 'running');
  const row = stages[at];
  if (row === undefined) return [];
  const since = row.startedAtMs === undefined ? '' : ` since ${new Date(row.startedAtMs).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
  const next = stages.slice(at + 1).find((each) => each.state === 'waiting');
  return ['', `Now: **${row.stage}**${since}${row.detail === undefined ? '' : `: ${row.detail}`}${next === undefined ? '' : `; next: ${next.stage}`}`];
}

function seconds(row: StageProgress): string {
  if (row.startedAtMs === undefined || row.finishedAtMs === undefined) return '';
  return `${((row.finishedAtMs - row.startedAtMs) / 1000).toFixed(1)} s`;
}
