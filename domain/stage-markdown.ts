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
  return [title, '', '| stage | state | time | what |', '|---|---|---|---|', ...rows].join('\n');
}

function seconds(row: StageProgress): string {
  if (row.startedAtMs === undefined || row.finishedAtMs === undefined) return '';
  return `${((row.finishedAtMs - row.startedAtMs) / 1000).toFixed(1)} s`;
}
