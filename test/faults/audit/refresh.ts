import { isRefreshedByDay } from '../../../domain/refresh';
import type { Evidence } from './evidence';
import { Findings, type Finding } from './subject';

/**
 * I1: of a pipeline that is refreshed by day, what is served is what a full rebuild of storage would serve: each day's rows are counted
 * in storage, in both views and in what the version says of itself; and a day that was copied came from an earlier version.
 */
export async function auditRefresh({ subject, record, live }: Evidence): Promise<Finding> {
  const findings = new Findings('I1');
  const { spec, access } = subject;
  if (!isRefreshedByDay(spec)) return { violations: [], counts: {} };
  const stored: Record<string, number> = {};
  for (const { dates } of live) for (const [day, rows] of Object.entries(dates)) stored[day] = (stored[day] ?? 0) + rows;
  const [points, totals] = spec.relations;
  if (points === undefined || totals === undefined) throw new Error(`${spec.name} has not the two relations of the harness`);
  const byDay = async (what: string, statement: string, values: readonly unknown[] = []) => {
    const { rows } = await access.pool.query<{ day: string; rows: number }>(statement, [...values]);
    const found = Object.fromEntries(rows.map(({ day, rows: count }) => [day, count]));
    if (JSON.stringify(sorted(found)) !== JSON.stringify(sorted(stored))) findings.add(`${what}: ${JSON.stringify(found)}, while storage holds ${JSON.stringify(stored)}`);
  };
  await byDay(points.view, `select (event_time at time zone 'UTC')::date::text as day, count(*)::int as rows from ${points.view} group by 1`);
  await byDay(totals.view, `select day::text as day, records::int as rows from ${totals.view}`);
  for (const { version, state } of record.versions.filter(({ relation }) => relation === points.name)) {
    if (state !== 'promoted') continue;
    await byDay(`the days noted of ${points.name}_v${version}`, 'select day::text as day, rows::int as rows from meridian.version_day where relation = $1 and version = $2', [points.name, version]);
  }
  const { rows } = await access.pool.query<{ wrong: number; copied: number }>(
    `select count(*) filter (where copied_from >= version)::int as wrong, count(copied_from)::int as copied from meridian.version_day where relation = any($1)`,
    [spec.relations.map(({ name }) => name)],
  );
  if ((rows[0]?.wrong ?? 0) > 0) findings.add(`${rows[0]?.wrong} day(s) were copied from a version that was not there yet`);
  if (record.promotions.length > 1 && (rows[0]?.copied ?? 0) === 0) findings.add(`no day was ever copied in ${record.promotions.length} promotions: nothing was proved`);
  return { violations: findings.violations, counts: {} };
}

function sorted(counts: Readonly<Record<string, number>>): readonly (readonly [string, number])[] {
  return Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1));
}
