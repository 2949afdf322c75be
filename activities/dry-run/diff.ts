import { type Kysely, sql } from 'kysely';
import type { Pool } from 'pg';
import type { RelationDiff } from '../../domain/dry-run';
import { type ColumnSpec, LINEAGE_COLUMNS, type RelationSpec } from '../../domain/pipeline-spec';
import { onClient } from '../../sql/database';
import { markTransaction } from '../../sql/queries/backends';
import { countDifferences, measure, sampleChanged, sampleOnly } from '../../sql/queries/relation-diff';
import { findServedVersion, type VersionRow } from '../../sql/queries/versions';
import type { Database } from '../../sql/schema';
import { withCancellableClient } from '../long-statement';

const SAMPLES = 10;
const STATEMENT_LIMIT = '30min'; // a full join of some hundred million rows
/** Whose values say where a row came from, not what it says: a dry run's differ from a cycle's by their nature. */
const LINEAGE: readonly string[] = LINEAGE_COLUMNS;

/**
 * Compares the version that a relation serves with the shadow's, table with table: through the view it would hold that view's lock, and
 * a promotion would have to wait. Reads only, in a transaction of its own.
 * @param relation - the declared one, whose view readers use
 */
export async function diffRelation(pool: Pool, relation: RelationSpec, shadow: VersionRow): Promise<RelationDiff> {
  return withCancellableClient(pool, (client) =>
    onClient(client)
      .transaction()
      .setAccessMode('read only')
      .execute(async (trx) => {
        // Readers never wait for it, and promotions need not: it looks at no view.
        await markTransaction(trx);
        await sql`select set_config('statement_timeout', ${STATEMENT_LIMIT}, true), set_config('TimeZone', 'UTC', true)`.execute(trx);
        return await compare(trx, relation, shadow);
      }),
  );
}

async function compare(db: Kysely<Database>, relation: RelationSpec, shadow: VersionRow): Promise<RelationDiff> {
  const { name, view, key } = relation;
  const live = await findServedVersion(db, name);
  const after = await measure(db, shadow.table, relation.columns);
  if (live === undefined) {
    return {
      ...{ relation: name, view, before: 0, after: after.rows, added: after.rows, removed: 0, changed: 0, changedColumns: {} },
      newColumns: relation.columns.map((column) => column.name),
      samples: { added: await sampleOnly(db, { table: shadow.table, key, columns: relation.columns }, SAMPLES), removed: [], changed: [] },
      metrics: { after: after.columns },
    };
  }
  const common = relation.columns.filter((column) => live.columns.some((each) => each.name === column.name));
  const tables = { live: live.table, shadow: shadow.table, key, compared: common.filter((column) => isCompared(column, key)) };
  const before = await measure(db, live.table, common);
  const keyColumns = relation.columns.filter((column) => key.includes(column.name));
  // A key with a column that the live version does not have is another key: no row can be found again by it.
  const sameKey = keyColumns.every((column) => common.includes(column));
  const counts = sameKey ? await countDifferences(db, tables) : { added: after.rows, removed: before.rows, changed: 0, changedColumns: {} };
  const only = (table: string, other: string, columns: readonly ColumnSpec[]) =>
    sampleOnly(db, sameKey ? { table, other, key, columns } : { table, key: [], columns }, SAMPLES);
  return {
    ...{ relation: name, view, liveVersion: live.version, before: before.rows, after: after.rows, ...counts },
    newColumns: relation.columns.filter((column) => !common.includes(column)).map((column) => column.name),
    samples: {
      added: counts.added === 0 ? [] : await only(shadow.table, live.table, relation.columns),
      removed: counts.removed === 0 ? [] : await only(live.table, shadow.table, common),
      changed: counts.changed === 0 ? [] : await sampleChanged(db, tables, keyColumns, SAMPLES),
    },
    metrics: { before: before.columns, after: after.columns },
  };
}

function isCompared({ name }: ColumnSpec, key: readonly string[]): boolean {
  return !key.includes(name) && !LINEAGE.includes(name);
}
