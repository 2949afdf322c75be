import { ApplicationFailure } from '@temporalio/common';
import { addCounts, NO_RECORDS, totalQuarantined } from '../../domain/conservation';
import type { RawObject, RecordCounts } from '../../domain/documents';
import { FailureType } from '../../domain/failure-type';
import type { ChunkDatabase } from './chunk-database';

export interface ChunkCounts {
  readonly total: RecordCounts;
  /** In the order of the objects. */
  readonly byObject: readonly RecordCounts[];
}

/**
 * What became of each object's records, from the tables `record` and `keep`, held against what was counted before parsing (I1).
 * @throws `CountsDoNotAddUp`, not retryable, naming the object
 */
export async function countRecords(
  db: ChunkDatabase,
  objects: readonly RawObject[],
  readCounts: readonly number[],
): Promise<ChunkCounts> {
  const kept = new Map(
    (await db.rows('select _position >> 40, count(*) from keep group by all')).map(([object, count]) => [
      Number(object),
      Number(count),
    ]),
  );
  const judged = objects.map((): { valid: number; quarantined: Record<string, number> } => ({
    valid: 0,
    quarantined: {},
  }));
  for (const [object, reason, count] of await db.rows('select _object, _reason, count(*) from record group by all')) {
    const counts = judged[Number(object)];
    if (counts === undefined) continue;
    if (typeof reason === 'string') counts.quarantined[reason] = Number(count);
    else counts.valid = Number(count);
  }
  const byObject = judged.map(({ valid, quarantined }, index): RecordCounts => {
    const stored = kept.get(index) ?? 0;
    return { read: readCounts[index] ?? Number.NaN, stored, duplicates: valid - stored, quarantined };
  });
  byObject.forEach((counts, index) => assertAddsUp(counts, objects[index]));
  return { total: byObject.reduce(addCounts, NO_RECORDS), byObject };
}

/** @throws `CountsDoNotAddUp`, not retryable, naming the object */
export function assertAddsUp(counts: RecordCounts, object: RawObject | undefined): void {
  const accounted = counts.stored + counts.duplicates + totalQuarantined(counts.quarantined);
  if (counts.read === accounted && counts.duplicates >= 0) return;
  throw ApplicationFailure.nonRetryable(
    `Object ${JSON.stringify(object?.key)}, version ${object?.versionId}: ${counts.read} records were read, but stored ${counts.stored} + ` +
      `duplicates ${counts.duplicates} + quarantined ${totalQuarantined(counts.quarantined)} = ${accounted}. Nothing of its chunk was stored`,
    FailureType.CountsDoNotAddUp,
  );
}
