import fc from 'fast-check';
import { addCounts, conservationFaults, NO_RECORDS, totalQuarantined, type CycleCounts } from '../../domain/conservation';
import type { RecordCounts } from '../../domain/documents';

const sound: CycleCounts = {
  records: { read: 100, stored: 70, duplicates: 20, quarantined: { bad_line: 4, too_late: 6 } },
  transformInput: { rowCount: 170, addedRowCount: 70 },
  transformOutput: { inputRows: 170, quarantined: { invalid_geometry: 3 }, rows: 167, addedRows: 68 },
  gate: { added: 68, served: 167 },
  loaded: 167,
};

test('counts that add up have no fault (X6, I1)', () => {
  expect(conservationFaults(sound)).toEqual([]);
});

const off: readonly [string, CycleCounts][] = [
  ['a record lost in dedup', { ...sound, records: { ...sound.records, read: 101 } }],
  ['a record dropped from quarantine', { ...sound, records: { ...sound.records, quarantined: { bad_line: 4, too_late: 5 } } }],
  ['a storage file that the job was not given', { ...sound, transformInput: { rowCount: 170, addedRowCount: 69 } }],
  ['a file that the job did not read', { ...sound, transformOutput: { ...sound.transformOutput, inputRows: 169 } }],
  ['a row that a join doubled', { ...sound, transformOutput: { ...sound.transformOutput, rows: 168 } }],
  ['a gate that saw other rows', { ...sound, gate: { added: 68, served: 166 } }],
  ['a gate that saw other added rows', { ...sound, gate: { added: 0, served: 167 } }],
  ['a part loaded twice', { ...sound, loaded: 180 }],
];
test.each(off)('%s is a fault', (_what, counts) => {
  expect(conservationFaults(counts)).not.toEqual([]);
});

const counts: fc.Arbitrary<RecordCounts> = fc.record({
  read: fc.nat(1000),
  stored: fc.nat(1000),
  duplicates: fc.nat(1000),
  quarantined: fc.dictionary(fc.constantFrom('bad_line', 'too_late', 'future'), fc.nat(100)),
});

test('adding counts is associative, has a zero, and loses no reason', () => {
  fc.assert(
    fc.property(counts, counts, counts, (a, b, c) => {
      expect(addCounts(addCounts(a, b), c)).toEqual(addCounts(a, addCounts(b, c)));
      expect(addCounts(NO_RECORDS, a)).toEqual(a);
      expect(totalQuarantined(addCounts(a, b).quarantined)).toBe(totalQuarantined(a.quarantined) + totalQuarantined(b.quarantined));
    }),
  );
});
