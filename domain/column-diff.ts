import type { ColumnSpec, RelationSpec } from './pipeline-spec';

interface Column {
  readonly name: string;
  readonly type: string;
}

/** PostgreSQL's own spelling of the types that declarations abbreviate. */
const SPELLED_OUT: Readonly<Record<string, string>> = { timestamptz: 'timestamp with time zone' };

/** What differs between the job's columns and the declared ones, a line each; empty when they are the same in the same order. */
export function manifestDiff(relation: RelationSpec, manifest: readonly Column[]): readonly string[] {
  return columnDiff(relation.columns, manifest, { appended: false });
}

/**
 * What the stable view cannot take of the declared columns, a line each; appended columns are fine.
 * @param live - the view's columns today, with PostgreSQL's type names
 * @see `create or replace view`: the new query must produce the same columns in the same order, plus any at the end
 */
export function viewDiff(columns: readonly ColumnSpec[], live: readonly Column[]): readonly string[] {
  return columnDiff(live, columns, { appended: true });
}

function columnDiff(expected: readonly Column[], found: readonly Column[], allowed: { readonly appended: boolean }): readonly string[] {
  const lines: string[] = [];
  expected.forEach((column, index) => {
    const sameName = found.find((each) => each.name === column.name);
    const inPlace = found[index];
    if (sameName === undefined) {
      lines.push(`- ${show(column)}${inPlace !== undefined && !has(expected, inPlace) ? ` (renamed to ${inPlace.name}?)` : ''}`);
    } else if (spelled(sameName.type) !== spelled(column.type)) {
      lines.push(`~ ${column.name}: ${spelled(column.type)} became ${spelled(sameName.type)}`);
    } else if (inPlace?.name !== column.name) {
      lines.push(`~ ${column.name}: column ${index + 1} became column ${found.indexOf(sameName) + 1}`);
    }
  });
  if (!allowed.appended) for (const column of found) if (!has(expected, column)) lines.push(`+ ${show(column)}`);
  return lines;
}

function has(columns: readonly Column[], column: Column): boolean {
  return columns.some((each) => each.name === column.name);
}

function show(column: Column): string {
  return `${column.name} ${spelled(column.type)}`;
}

function spelled(type: string): string {
  return SPELLED_OUT[type] ?? type;
}
