import { type Ledger, type ObjectMark, readLedger, readObjectMarks } from './ledger';
import { type DurableRecord, readRecord } from './record';
import { type LiveChunk, readLiveChunks } from './storage';
import type { AuditSubject } from './subject';

/** What was read once for all invariants. */
export interface Evidence {
  readonly subject: AuditSubject;
  readonly record: DurableRecord;
  readonly ledger: Ledger;
  readonly marks: readonly ObjectMark[];
  readonly live: readonly LiveChunk[];
  /** Keys, with repeats, of the view with a row a record; undefined when there is no such view. */
  readonly servedKeys: readonly string[] | undefined;
}

export async function gatherEvidence(subject: AuditSubject): Promise<Evidence> {
  const record = await readRecord(subject);
  const ledger = await readLedger(subject);
  const live = await readLiveChunks(
    subject,
    ledger.chunks.filter((chunk) => chunk.state === 'committed'),
  );
  return { subject, record, ledger, marks: await readObjectMarks(subject), live, servedKeys: await readServedKeys(subject) };
}

async function readServedKeys({ spec, access: { pool } }: AuditSubject): Promise<readonly string[] | undefined> {
  const view = spec.relations.find((relation) => relation.name === spec.quality.relation)?.view ?? '';
  const { rows } = await pool.query<{ there: boolean }>('select to_regclass($1) is not null as there', [`public.${view}`]);
  if (rows[0]?.there !== true) return undefined;
  // Formatted here, so that pg's own types have no say; a double's shortest text reads back as the same double.
  const served = await pool.query<{ epoch_ms: string; longitude: string; latitude: string }>(
    `select (extract(epoch from event_time) * 1000)::bigint::text as epoch_ms, longitude::text, latitude::text from public.${view}`,
  );
  return served.rows.map((row) => `${row.epoch_ms}|${Number(row.longitude)}|${Number(row.latitude)}`);
}
