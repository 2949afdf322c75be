import type { Evidence } from './evidence';
import { Findings, type Finding } from './subject';

/** I6: promotions are numbered without a gap in the order in which they came, and the views are what the newest one says. */
export async function auditPromotions({ subject, record }: Evidence): Promise<Finding> {
  const findings = new Findings('I6');
  const { promotions } = record;
  promotions.forEach((promotion, index) => {
    const before = promotions[index - 1];
    if (promotion.sequence !== index + 1) findings.add(`promotion ${promotion.sequence} is the ${index + 1}th`);
    if (before !== undefined && before.promotedAt >= promotion.promotedAt) findings.add(`promotion ${promotion.sequence} is older than ${before.sequence}`);
    if (before !== undefined && before.epoch > promotion.epoch) {
      findings.add(`promotion ${promotion.sequence} was made under epoch ${promotion.epoch}, the one before under ${before.epoch}`);
    }
  });
  const newest = promotions.at(-1);
  if (newest === undefined) return { violations: findings.violations, counts: {} };
  for (const { name, view } of subject.spec.relations) {
    const version = newest.relations[name];
    const expected = `${name}_v${version}`;
    const { rows } = await subject.access.pool.query<{ comment: string | null; tables: string[] | null }>(
      `select obj_description(v.oid, 'pg_class') as comment,
              (select array_agg(distinct t.relname::text) from pg_rewrite r join pg_depend d on d.objid = r.oid and d.classid = 'pg_rewrite'::regclass
                 join pg_class t on t.oid = d.refobjid and d.refclassid = 'pg_class'::regclass and t.oid <> v.oid where r.ev_class = v.oid) as tables
         from pg_class v where v.relnamespace = 'public'::regnamespace and v.relname = $1 and v.relkind = 'v'`,
      [view],
    );
    const [found] = rows;
    if (found === undefined) continue; // I3 has said so
    if (found.tables?.join() !== expected) findings.add(`${view} reads ${found.tables?.join(', ')}, but promotion ${newest.sequence} served ${expected}`);
    const comment = JSON.parse(found.comment ?? '{}') as { readonly sequence?: number; readonly table?: string };
    if (comment.sequence !== newest.sequence || comment.table !== expected) {
      findings.add(`${view}'s comment says promotion ${comment.sequence} of ${comment.table}, the newest is ${newest.sequence} of ${expected}`);
    }
    const serving = record.versions.filter((each) => each.relation === name && each.state === 'promoted').map((each) => each.table);
    if (serving.join() !== expected) findings.add(`meridian.version has ${serving.join(', ') || 'nothing'} as served, the newest promotion has ${expected}`);
  }
  return { violations: findings.violations, counts: {} };
}
