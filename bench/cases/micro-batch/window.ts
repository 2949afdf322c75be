import { randomBytes } from 'node:crypto';
import { newAttemptId } from '../../../activities/ledger/chunk-attempt';
import { appendEntry, readDateLog } from '../../../activities/ledger/date-log';
import { FINGERPRINT_BYTES } from '../../../activities/ledger/fingerprint-sql';
import { segmentKey } from '../../../activities/ledger/keys';
import { LedgerTable } from '../../../activities/ledger/ledger-table';
import { FINGERPRINTS_PER_SEGMENT } from '../../../activities/ledger/segments';
import { forEachParallel } from '../../../activities/for-each-parallel';
import type { PipelineSpec } from '../../../domain/pipeline-spec';
import type { Deps } from '../../../test/dedup/support/ledger-stack';
import { nightEnding } from '../../../test/dedup/support/nights';

/** What earlier chunks stored of one event date. */
export interface StoredDate {
  /** RFC 3339 date. */
  readonly eventDate: string;
  readonly chunks: number;
  readonly fingerprintsPerChunk: number;
  /** False: the log says so, but there is nothing to read. A batch that looks at them fails. */
  readonly hasSegments: boolean;
}

const PUTS_AT_ONCE = 4;
const NEVER = new AbortController().signal;

/** Puts what committed chunks of so many random fingerprints leave in the ledger: log entries and segments. */
export async function fillWindow(deps: Deps, spec: PipelineSpec, { eventDate, chunks, fingerprintsPerChunk, hasSegments }: StoredDate): Promise<void> {
  const table = new LedgerTable(deps.dynamodb, deps.ledgerTable, NEVER);
  const cycle = nightEnding(eventDate, 1, spec);
  const segments = Math.ceil(fingerprintsPerChunk / FINGERPRINTS_PER_SEGMENT);
  const ttl = { N: String(Math.ceil(Date.now() / 1_000) + 30 * 86_400) };
  let dateLog = await readDateLog(table, spec.dataset, eventDate);
  for (let chunk = 0; chunk < chunks; chunk += 1) {
    const attempt = newAttemptId();
    await forEachParallel(hasSegments ? [...Array(segments).keys()] : [], PUTS_AT_ONCE, async (index) => {
      const count = Math.min(FINGERPRINTS_PER_SEGMENT, fingerprintsPerChunk - index * FINGERPRINTS_PER_SEGMENT);
      const { pk, sk } = segmentKey(spec.dataset, eventDate, attempt, index);
      await table.put({ pk: { S: pk }, sk: { S: sk }, fingerprints: { B: randomBytes(count * FINGERPRINT_BYTES) }, ttl });
    });
    await table.transact([appendEntry(table.name, spec, cycle, dateLog, { kind: 'chunk', attempt, segments, count: fingerprintsPerChunk }, Date.now())]);
    dateLog = { ...dateLog, nextSequence: dateLog.nextSequence + 1 };
  }
}
