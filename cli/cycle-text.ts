import type { Step } from '../domain/announcement';
import { totalQuarantined } from '../domain/conservation';
import type { CycleReport, StageProgress } from '../domain/progress';
import { refreshSentence } from '../domain/refresh';

const SIGN: Readonly<Record<StageProgress['state'], string>> = { waiting: ' ', running: '…', done: '✔', skipped: '–', failed: '✘' };

/** One line of a stage: `✔ dedup      3.1 s  read 69549 = stored …`. */
export function stageLine(row: StageProgress): string {
  const seconds =
    row.startedAtMs !== undefined && row.finishedAtMs !== undefined ? `${((row.finishedAtMs - row.startedAtMs) / 1000).toFixed(1)} s` : '';
  return `${SIGN[row.state]} ${row.stage.padEnd(9)} ${seconds.padStart(7)}  ${row.detail ?? (row.state === 'running' ? 'running' : '')}`.trimEnd();
}

/** What may be done next; a command has a line of its own, to be copied. */
export function nextLines(steps: readonly Step[]): readonly string[] {
  return steps.length === 0 ? [] : ['What you may do:', ...steps.flatMap(({ what, command }) => [`  ${what}:`, `    ${command}`])];
}

/** A report in a few lines. */
export function reportText(report: CycleReport): string {
  const { cycle, records } = report;
  const lines = [`${cycle.pipeline} [${cycle.intervalStart}, ${cycle.intervalEnd}) generation ${cycle.generation}: ${report.outcome}`];
  if (report.reason !== undefined) lines.push(`  why: ${report.reason}`);
  if (records !== undefined) {
    lines.push(
      `  read ${records.read} = stored ${records.stored} + duplicates ${records.duplicates} + quarantined ${totalQuarantined(records.quarantined)}`,
    );
  }
  if (report.refresh !== undefined) lines.push(`  ${refreshSentence(report.refresh)}`);
  for (const each of report.served) lines.push(`  ${each.view} → ${each.table}: ${each.rows} rows`);
  if (report.promotion !== undefined) lines.push(`  promoted in ${report.promotion.promotedMs} ms, sequence ${report.promotion.sequence}`);
  return lines.join('\n');
}

/** `↻ dedup: dedupChunks, attempt 3: connect ECONNREFUSED`. */
export function retryLine(stage: string, activity: string, attempt: number, message: string): string {
  return `↻ ${stage}: ${activity}, attempt ${attempt}: ${message.split('\n')[0] ?? ''}`;
}
