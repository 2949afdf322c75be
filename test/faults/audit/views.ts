import { isRefreshedByDay } from '../../../domain/refresh';
import type { Evidence } from './evidence';
import { type Finding, Findings, type ReadersSummary } from './subject';

/** I3: the views are there and serve one night, the one promoted last; and no reader ever saw anything else. */
export async function auditViews({ subject, record, servedKeys }: Evidence): Promise<Finding> {
  const findings = new Findings('I3');
  const last = record.promotions.at(-1);
  if (last === undefined) findings.add('nothing was ever promoted');
  for (const { name, view } of subject.spec.relations) {
    const { rows: found } = await subject.access.pool.query<{ kind: string }>(
      `select relkind as kind from pg_class where relnamespace = 'public'::regnamespace and relname = $1`,
      [view],
    );
    if (found[0]?.kind !== 'v') {
      findings.add(`there is no view ${view}`);
      continue;
    }
    // By day, a version is known by its newest night; what of every day it holds is counted in refresh.ts.
    const [night, each] = isRefreshedByDay(subject.spec) ? ['max(night)', ''] : ['night', 'group by night'];
    const { rows } = await subject.access.pool.query<{ night: string; rows: number; records: number }>(
      `select ${night} as night, count(*)::integer as rows, ${hasRecords(subject.spec, name) ? 'sum(records)::integer' : '0'} as records from public.${view} ${each}`,
    );
    if (rows.length !== 1) findings.add(`${view} serves ${rows.length} nights (${rows.map((row) => row.night).join(', ')}), expected one`);
    for (const row of rows) {
      if (last !== undefined && row.night !== last.intervalEnd) findings.add(`${view} serves ${row.night}, but ${last.intervalEnd} was promoted last`);
      if (hasRecords(subject.spec, name) && row.records !== (servedKeys ?? []).length) {
        findings.add(`${view} says ${row.records} records, ${(servedKeys ?? []).length} are served beside it: two versions at once`);
      }
    }
  }
  const bad = auditReaders(subject.readers, findings);
  return { violations: findings.violations, counts: { reads: subject.readers?.reads ?? 0, badReads: bad } };
}

/** @returns reads that saw what no reader may see */
function auditReaders(readers: ReadersSummary | undefined, findings: Findings): number {
  if (readers === undefined) return 0;
  const bad = (['failed', 'empty', 'mixed', 'stale'] as const).filter((kind) => readers[kind] > 0);
  for (const kind of bad) findings.add(`${readers[kind]} of ${readers.reads} reads were ${kind}, expected none`);
  return bad.reduce((sum, kind) => sum + readers[kind], 0);
}

function hasRecords(spec: Evidence['subject']['spec'], relation: string): boolean {
  return spec.relations.some(({ name, columns }) => name === relation && columns.some((column) => column.name === 'records'));
}
