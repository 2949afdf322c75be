import { ApplicationFailure } from '@temporalio/common';
import { addCounts, NO_RECORDS, totalQuarantined } from '../../domain/conservation';
import type { RawObject, RecordCounts } from '../../domain/documents';
import { FailureType } from '../../domain/failure-type';
import type { ChunkDatabase } from './chunk-database';

/** What the records of a chunk were found to be; it does not change once they are judged. */
export interface JudgedCounts {
  /** In the order of the objects. */
  readonly byObject: readonly { readonly sound: number; readonly quarantined: Readonly<Record<string, number>> }[];
  /** Event days since 1970 in order, with their sound records. */
  readonly soundByDay: ReadonlyMap<number, number>;
}

/** Records of an event day, in days since 1970, that are kept. */
export interface KeptDay {
  readonly day: number;
  readonly count: number;
  /** No sound record of the day is left out. */
  readonly isWhole: boolean;
}

export interface ChunkCounts {
  readonly total: RecordCounts;
  /** In the order of the objects. */
  readonly byObject: readonly RecordCounts[];
  /** In order; without those of which nothing is kept. */
  readonly days: readonly KeptDay[];
}

/** Counts the table `record`. */
export async function countJudged(db: ChunkDatabase, objectCount: number): Promise<JudgedCounts> {
  const byObject = Array.from({ length: objectCount }, (): { sound: number; quarantined: Record<string, number> } => ({ sound: 0, quarantined: {} }));
  const soundByDay = new Map<number, number>();
  for (const [object, reason, day, count] of await db.rows('select _object, _reason, _day, count(*) from record group by all order by _day')) {
    const counts = byObject[Number(object)];
    if (counts === undefined) continue;
    if (typeof reason === 'string') counts.quarantined[reason] = Number(count);
    else {
      counts.sound += Number(count);
      soundByDay.set(Number(day), (soundByDay.get(Number(day)) ?? 0) + Number(count));
    }
  }
  return { byObject, soundByDay };
}

/**
 * What became of each object's records, the table `keep` being what is stored, held against what was counted before parsing (I1).
 * @throws `CountsDoNotAddUp`, not retryable, naming the object
 */
export async function countRecords(
  db: ChunkDatabase,
  objects: readonly RawObject[],
  { readCounts, judged }: { readonly readCounts: readonly number[]; readonly judged: JudgedCounts },
): Promise<ChunkCounts> {
  const [byObjectKept, byDayKept] = [new Map<number, number>(), new Map<number, number>()];
  for (const [object, day, count] of await db.rows('select _position >> 40, _day, count(*) from keep group by all')) {
    byObjectKept.set(Number(object), (byObjectKept.get(Number(object)) ?? 0) + Number(count));
    byDayKept.set(Number(day), (byDayKept.get(Number(day)) ?? 0) + Number(count));
  }
  const byObject = judged.byObject.map(({ sound, quarantined }, index): RecordCounts => {
    const stored = byObjectKept.get(index) ?? 0;
    return { read: readCounts[index] ?? Number.NaN, stored, duplicates: sound - stored, quarantined };
  });
  byObject.forEach((counts, index) => assertAddsUp(counts, objects[index]));
  const days = [...byDayKept].sort(([a], [b]) => a - b).map(([day, count]): KeptDay => ({ day, count, isWhole: count === judged.soundByDay.get(day) }));
  return { total: byObject.reduce(addCounts, NO_RECORDS), byObject, days };
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
