import type { QuarantineCounts, RecordCounts } from './documents';

/** What the stages counted, each on its own, for one cycle. */
export interface CycleCounts {
  readonly records: RecordCounts;
  /** Rows of the storage files that the transform was given, and of those that this cycle added. */
  readonly transformInput: { readonly rowCount: number; readonly addedRowCount: number };
  readonly transformOutput: {
    readonly inputRows: number;
    readonly quarantined: QuarantineCounts;
    /** Of the relation with one row a record. */
    readonly rows: number;
    readonly addedRows: number;
  };
  /** Of the days that are taken over from the served version: stored records, and rows of the same relation. */
  readonly kept?: { readonly inputRows: number; readonly rows: number };
  /** As the gate counted them. */
  readonly gate: { readonly added: number; readonly served: number };
  /** Rows of the loaded candidate of that relation. */
  readonly loaded: number;
}

export function totalQuarantined(counts: QuarantineCounts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** Adds counts of disjoint chunks or objects. */
export function addCounts(a: RecordCounts, b: RecordCounts): RecordCounts {
  const quarantined: Record<string, number> = { ...a.quarantined };
  for (const [reason, count] of Object.entries(b.quarantined)) quarantined[reason] = (quarantined[reason] ?? 0) + count;
  return { read: a.read + b.read, stored: a.stored + b.stored, duplicates: a.duplicates + b.duplicates, quarantined };
}

export const NO_RECORDS: RecordCounts = { read: 0, stored: 0, duplicates: 0, quarantined: {} };

/**
 * Every equation of a cycle that does not hold, in words; empty is the proof that nothing was lost and nothing doubled (I1, X6).
 * A single mismatch blocks the promotion.
 */
export function conservationFaults(counts: CycleCounts): readonly string[] {
  const { records, transformInput, transformOutput, kept = { inputRows: 0, rows: 0 }, gate, loaded } = counts;
  const faults: string[] = [];
  const expectEqual = (expectation: string, left: number, right: number) => {
    if (left !== right) faults.push(`${expectation}: ${left} is not ${right}`);
  };
  expectEqual(
    'records read = stored + duplicates + quarantined',
    records.read,
    records.stored + records.duplicates + totalQuarantined(records.quarantined),
  );
  expectEqual('rows stored by this cycle = rows given to the job as added', records.stored, transformInput.addedRowCount);
  expectEqual('rows given to the job = rows that it read', transformInput.rowCount, transformOutput.inputRows);
  expectEqual(
    'rows that the job read = rows that it wrote + quarantined',
    transformOutput.inputRows,
    transformOutput.rows + totalQuarantined(transformOutput.quarantined),
  );
  expectEqual('added rows = what the gate counted as added', transformOutput.addedRows, gate.added);
  // The others were put into quarantine when the day was made.
  if (kept.rows > kept.inputRows) faults.push(`rows taken over <= records stored of their days: ${kept.rows} is more than ${kept.inputRows}`);
  const taken = kept.rows === 0 ? '' : ' + rows taken over';
  expectEqual(`rows that the job wrote${taken} = what the gate counted as served`, transformOutput.rows + kept.rows, gate.served);
  expectEqual(`rows that the job wrote${taken} = rows loaded`, transformOutput.rows + kept.rows, loaded);
  return faults;
}
