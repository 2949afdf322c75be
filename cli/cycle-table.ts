import type { ServedRelation } from '../domain/progress';
import type { CycleRecord } from '../sql/queries/cycles';
import { took, utcAndLocal } from './times';

const HEAD = ['pipeline', 'interval end', 'gen', 'outcome', 'started', 'took', 'rows', 'why'] as const;
const WHY = HEAD.length - 1;
const GAP = '  ';
const SHORTEST_REASON = 20;

/**
 * Recorded cycles as a table of at most `width` columns, the reason cut to what is left. Where that is too little, the reason has a line
 * of its own, and the start is left to `cycles show`.
 */
export function cycleTable(records: readonly CycleRecord[], width: number, zone?: string): string {
  const rows = [HEAD, ...records.map((record) => cells(record, zone))];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const columns = HEAD.map((_, column) => column).slice(0, WHY);
  const room = width - columns.reduce((sum, column) => sum + (widths[column] ?? 0) + GAP.length, 0);
  const line = (row: readonly string[], shown: readonly number[]) => shown.map((column) => (row[column] ?? '').padEnd(widths[column] ?? 0)).join(GAP);
  if (room >= SHORTEST_REASON) return rows.map((row) => `${line(row, columns)}${GAP}${cut(row[WHY] ?? '', room)}`.trimEnd()).join('\n');

  const narrow = columns.filter((column) => column !== HEAD.indexOf('started'));
  return rows
    .flatMap((row, index) => {
      const reason = index === 0 ? '' : (row[WHY] ?? '');
      return [line(row, narrow).trimEnd(), ...(reason === '' ? [] : [cut(`${GAP}${reason}`, width)])];
    })
    .join('\n');
}

/** The outcome, or what an open cycle does. */
export function outcomeWord({ outcome, counts }: Pick<CycleRecord, 'outcome' | 'counts'>): string {
  return outcome ?? (counts['held'] === undefined ? 'open' : 'held');
}

function cells({ cycle, outcome, counts, openedAt, closedAt, detail }: CycleRecord, zone: string | undefined): readonly string[] {
  const served = (counts['served'] ?? []) as readonly ServedRelation[];
  return [
    cycle.pipeline,
    cycle.intervalEnd,
    String(cycle.generation),
    outcomeWord({ outcome, counts }),
    utcAndLocal(openedAt, zone),
    closedAt === null ? '' : took(openedAt, closedAt),
    served.map((relation) => relation.rows).join(' + '),
    detail ?? '',
  ];
}

function cut(text: string, longest: number): string {
  const line = text.replace(/[\n\r\t]+/g, ' ').trimEnd();
  return line.length <= longest ? line : `${line.slice(0, longest - 1)}…`;
}
