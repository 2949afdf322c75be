import { totalQuarantined } from '../domain/conservation';
import type { ColumnMetrics, DiffDocument, DryRunReport, RelationDiff, SampledRow } from '../domain/dry-run';

const SHOWN_SAMPLES = 5;
const SHOWN_CHARACTERS = 160;

/** What a dry run found, for a person; the whole document has more samples. */
export function dryRunText(report: DryRunReport, diff: DiffDocument | undefined): string {
  const { cycle, records } = report;
  const lines = [`${cycle.pipeline} [${cycle.intervalStart}, ${cycle.intervalEnd}) generation ${cycle.generation}: ${verdictOf(report)}`];
  if (report.reason !== undefined) lines.push(`  why: ${report.reason}`);
  if (records !== undefined) {
    lines.push(`  read ${records.read} = stored ${records.stored} + duplicates ${records.duplicates} + quarantined ${totalQuarantined(records.quarantined)}`);
  }
  const failed = report.rules.filter(({ result }) => result !== 'PASS');
  if (report.rules.length > 0) lines.push(`  gate: ${report.rules.length - failed.length} of ${report.rules.length} rules passed, ${failed.length} failed`);
  for (const rule of failed) lines.push(`    ✘ ${rule.step}: ${rule.rule}: ${rule.message ?? rule.result}`);
  for (const relation of diff?.relations ?? []) lines.push('', ...relationLines(relation));
  lines.push('', ...shadowLines(report));
  return lines.join('\n');
}

function verdictOf({ outcome }: DryRunReport): string {
  switch (outcome) {
    case 'promoted':
      return 'would be promoted';
    case 'empty':
      return 'would be empty';
    case 'rejected':
      return 'would be rejected';
    case 'blocked':
      return 'would be blocked';
    case 'failed':
    case 'cancelled':
      return outcome;
    default:
      return outcome satisfies never;
  }
}

function relationLines(relation: RelationDiff): readonly string[] {
  const { samples, metrics } = relation;
  const live = relation.liveVersion === undefined ? 'nothing is served yet' : `${relation.before} rows are served (version ${relation.liveVersion})`;
  const columns = Object.entries(relation.changedColumns).map(([name, count]) => `${name} ${count}`);
  return [
    `${relation.view}: ${live}, ${relation.after} would be: ${relation.added} added, ${relation.removed} removed, ${relation.changed} changed`,
    ...(columns.length === 0 ? [] : [`  changed in: ${columns.join(', ')}`]),
    ...(relation.liveVersion === undefined || relation.newColumns.length === 0 ? [] : [`  new columns: ${relation.newColumns.join(', ')}`]),
    ...some(samples.added, relation.added).map((row) => `  + ${row}`),
    ...some(samples.removed, relation.removed).map((row) => `  - ${row}`),
    ...some(samples.changed.map(({ key, before, after }) => ({ ...key, ...arrows(before, after) })), relation.changed).map((row) => `  ~ ${row}`),
    ...metrics.after.flatMap((after) => metricLine(after, relation, metrics.before?.find(({ name }) => name === after.name))),
  ];
}

/** A few rows, and how many more there are. */
function some(rows: readonly SampledRow[], count: number): readonly string[] {
  const shown = rows.slice(0, SHOWN_SAMPLES).map(rowText);
  return count > shown.length ? [...shown, `… and ${count - shown.length} more`] : shown;
}

function rowText(row: SampledRow): string {
  const text = Object.entries(row)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}

function arrows(before: SampledRow, after: SampledRow): SampledRow {
  return Object.fromEntries(Object.keys(after).map((name) => [name, `${JSON.stringify(before[name])} → ${JSON.stringify(after[name])}`]));
}

/** Nothing for a column whose measures are the same. */
function metricLine(after: ColumnMetrics, relation: RelationDiff, before?: ColumnMetrics): readonly string[] {
  const changes = [
    change('nulls', before === undefined ? undefined : share(before.nulls, relation.before), share(after.nulls, relation.after)),
    change('min', before?.min, after.min),
    change('max', before?.max, after.max),
    change('extent', before?.box, after.box),
  ].filter((each) => each !== undefined);
  return changes.length === 0 ? [] : [`  ${after.name}: ${changes.join(', ')}`];
}

function change(what: string, before: string | undefined, after: string | undefined): string | undefined {
  if (before === after) return undefined;
  return before === undefined ? `${what} ${after}` : `${what} ${before} → ${after ?? 'none'}`;
}

function share(part: number, whole: number): string {
  return whole === 0 ? '0 %' : `${((100 * part) / whole).toFixed(1)} %`;
}

function shadowLines({ shadow, keptUntil, cycle, outcome }: DryRunReport): readonly string[] {
  if (keptUntil === undefined) return ['The shadow is dropped.'];
  const look = shadow.map(({ view, table }) => `  psql -c 'select * from ${outcome === 'promoted' ? view : table} limit 20'`);
  const pipeline = cycle.pipeline.replace(/\.dry$/, '');
  return [
    `Until ${keptUntil} it can be looked at:`,
    ...look,
    `and dropped before that: meridian run ${pipeline} --interval-end ${cycle.intervalEnd} --dry-run --drop`,
  ];
}
