import type { RecordCounts } from '../../../domain/documents';
import type { Evidence } from './evidence';
import { nameOf } from './record';
import type { Findings } from './subject';

/** What a generation reported of itself, against what its live chunks hold (X6). */
export function auditCycleCounts({ record, live }: Evidence, findings: Findings): void {
  for (const { name, cycle, outcome, records, rerun } of record.generations) {
    if (outcome !== 'promoted' && outcome !== 'empty' && outcome !== 'blocked') continue;
    // A rerun reports what the generation stored that it builds on.
    const storedBy = rerun?.data === undefined ? name : nameOf(cycle.intervalEnd, rerun.data.generation);
    const chunks = live.filter((chunk) => chunk.generation === storedBy);
    const documents = chunks.flatMap((chunk) => (chunk.document === undefined ? [] : [chunk.document.counts]));
    for (const counts of [...documents, ...(records === undefined ? [] : [records])]) {
      if (counts.read !== counts.stored + counts.duplicates + total(counts)) {
        findings.add(`${name} counts ${JSON.stringify(counts)}: read is not stored + duplicates + quarantined`);
      }
    }
    // Settled by the next holder of the turn, or ended before it read anything: it reported nothing.
    if (records === undefined || records.read === 0) continue;
    const found = {
      read: documents.reduce((sum, counts) => sum + counts.read, 0),
      stored: chunks.reduce((sum, chunk) => sum + chunk.rows.length, 0),
      duplicates: documents.reduce((sum, counts) => sum + counts.duplicates, 0),
      quarantined: chunks.reduce((sum, chunk) => sum + chunk.quarantine.length, 0),
    };
    const reported = { read: records.read, stored: records.stored, duplicates: records.duplicates, quarantined: total(records) };
    if (JSON.stringify(found) !== JSON.stringify(reported)) {
      findings.add(`${name} reported ${JSON.stringify(reported)}, its live chunks hold ${JSON.stringify(found)}`);
    }
  }
}

function total({ quarantined }: RecordCounts): number {
  return Object.values(quarantined).reduce((sum, count) => sum + count, 0);
}
