import fc from 'fast-check';
import { addCounts, conservationFaults, type CycleCounts, NO_RECORDS, totalQuarantined } from '../../domain/conservation';
import { QUARANTINE_REASONS, type QuarantineCounts, type RecordCounts } from '../../domain/documents';

const count = fc.nat(1_000_000);
const quarantined: fc.Arbitrary<QuarantineCounts> = fc.dictionary(fc.constantFrom(...QUARANTINE_REASONS), count);
const records = fc.record({ stored: count, duplicates: count, quarantined }).map(
  (parts): RecordCounts => ({ ...parts, read: parts.stored + parts.duplicates + totalQuarantined(parts.quarantined) }),
);

/** Counts of a cycle that lost and doubled nothing. */
const conserved = fc.record({ records, kept: count, quarantined, badOfAdded: count, taken: fc.option(fc.record({ rows: count, bad: count }), { nil: undefined }) }).map(({ records: dedup, kept, quarantined: bad, badOfAdded, taken }): CycleCounts => {
  const inputRows = dedup.stored + kept + totalQuarantined(bad);
  const rows = inputRows - totalQuarantined(bad);
  const addedRows = Math.max(0, dedup.stored - Math.min(badOfAdded, dedup.stored));
  return {
    records: dedup,
    transformInput: { rowCount: inputRows, addedRowCount: dedup.stored },
    transformOutput: { inputRows, quarantined: bad, rows, addedRows },
    // Of the days that are taken over some records may have gone to quarantine when they were made.
    ...(taken === undefined ? {} : { kept: { inputRows: taken.rows + taken.bad, rows: taken.rows } }),
    gate: { added: addedRows, served: rows + (taken?.rows ?? 0) },
    loaded: rows + (taken?.rows ?? 0),
  };
});

test('counts that add up have no fault (X6)', () => {
  fc.assert(fc.property(conserved, (counts) => expect(conservationFaults(counts)).toEqual([])));
});

test('one count that is off, by one or by many, up or down, is a fault wherever it is (I1, X6)', () => {
  const paths = [
    ['records', 'read'], ['records', 'stored'], ['records', 'duplicates'], ['transformInput', 'rowCount'], ['transformInput', 'addedRowCount'],
    ['transformOutput', 'inputRows'], ['transformOutput', 'rows'], ['transformOutput', 'addedRows'], ['gate', 'added'], ['gate', 'served'], ['loaded'],
  ] as const;
  const off = fc.oneof(fc.constantFrom(1, -1), fc.integer({ min: -1_000_000, max: 1_000_000 })).filter((by) => by !== 0);
  fc.assert(
    fc.property(conserved, fc.constantFrom(...paths), off, (counts, [stage, member], by) => {
      const copy = JSON.parse(JSON.stringify(counts)) as Record<string, number | Record<string, number>>;
      const at = copy[stage];
      if (typeof at === 'object' && member !== undefined) at[member] = (at[member] ?? 0) + by;
      else copy[stage] = (at as number) + by;

      expect(conservationFaults(copy as unknown as CycleCounts)).not.toEqual([]);
    }),
    { numRuns: 1_000 },
  );
});

test('a row that is taken over and not served, or served and not taken over, is a fault', () => {
  fc.assert(
    fc.property(conserved, fc.constantFrom(1, -1), (counts, by) => {
      const { kept = { inputRows: 1, rows: 0 } } = counts;

      expect(conservationFaults({ ...counts, kept: { ...kept, rows: kept.rows + by } })).not.toEqual([]);
      expect(conservationFaults({ ...counts, kept: { ...kept, inputRows: kept.rows - 1 } })).not.toEqual([]);
    }),
  );
});

test('a reason that lost or won a record is a fault', () => {
  fc.assert(
    fc.property(conserved, fc.constantFrom(...QUARANTINE_REASONS), fc.constantFrom(1, -1), (counts, reason, by) => {
      const change = (before: QuarantineCounts): QuarantineCounts => ({ ...before, [reason]: (before[reason] ?? 0) + by });

      expect(conservationFaults({ ...counts, records: { ...counts.records, quarantined: change(counts.records.quarantined) } })).not.toEqual([]);
      expect(conservationFaults({ ...counts, transformOutput: { ...counts.transformOutput, quarantined: change(counts.transformOutput.quarantined) } })).not.toEqual([]);
    }),
  );
});

test('counts of chunks add up in any order and grouping, and their sum still adds up (I1)', () => {
  fc.assert(
    fc.property(fc.array(records, { maxLength: 8 }), fc.nat(8), (chunks, cut) => {
      const sum = (each: readonly RecordCounts[]) => each.reduce(addCounts, NO_RECORDS);

      expect(sum([...chunks].reverse())).toEqual(sum(chunks));
      expect(addCounts(sum(chunks.slice(0, cut)), sum(chunks.slice(cut)))).toEqual(sum(chunks));
      const { read, stored, duplicates, quarantined: bad } = sum(chunks);
      expect(read).toBe(stored + duplicates + totalQuarantined(bad));
    }),
  );
});
