import { cycleId, generationPrefix } from '../../../domain/cycle';
import type { RawUpload } from '../raw-night';
import { auditCycleCounts } from './cycle-counts';
import type { Evidence } from './evidence';
import { missingFrom, repeated } from './sets';
import { readQuarantine } from './storage';
import { Findings, type Finding } from './subject';

/**
 * I1, X6: of every raw line that was put, its record stands in storage and in the view, or the line in quarantine; and the cycles'
 * own counts say the same. Nights that were rejected are set aside whole.
 */
export async function auditConservation(evidence: Evidence): Promise<Finding> {
  const findings = new Findings('I1');
  const due = dueUploads(evidence, findings);
  const expected = new Set(due.flatMap(({ lines }) => lines.flatMap(({ fate }) => (fate.kind === 'record' ? [fate.key] : []))));
  const stored = new Set(evidence.live.flatMap((chunk) => chunk.rows.map((row) => row.key)));
  const served = new Set(evidence.servedKeys ?? []);
  for (const chunk of evidence.live) findings.addAll(`fault(s) of what ${chunk.name} committed`, chunk.faults);
  const lost = missingFrom(stored, expected);
  const unserved = missingFrom(served, expected);
  findings.addAll('record(s) lost from storage', lost);
  findings.addAll('record(s) lost from the view', unserved);
  findings.addAll('record(s) in storage that no raw line due there holds', missingFrom(expected, stored));
  findings.addAll('record(s) in the view that no raw line due there holds', missingFrom(expected, served));
  auditLineage(evidence, due, findings);
  const quarantined = auditQuarantine(evidence, due, findings);
  auditObjects(evidence, due, findings);
  auditCycleCounts(evidence, findings);
  await auditRejected(evidence, findings);
  return {
    violations: findings.violations,
    counts: { records: expected.size, lost: new Set([...lost, ...unserved]).size, quarantined },
  };
}

/** All uploads but those that a rejection set aside; a mark without a rejection is a loss. */
function dueUploads({ subject, record, marks }: Evidence, findings: Findings): readonly RawUpload[] {
  const outcomes = new Map(record.generations.map(({ cycle, outcome }) => [generationPrefix(cycle), outcome]));
  const aside = marks.filter((mark) => mark.state === 'set-aside');
  const unjustified = aside.filter((mark) => outcomes.get(mark.generation) !== 'rejected');
  findings.addAll('object(s) set aside though their cycle was not rejected', unjustified.map((mark) => mark.key));
  const keys = new Set(aside.filter((mark) => !unjustified.includes(mark)).map((mark) => mark.key));
  return subject.nights.flatMap((night) => night.uploads).filter((upload) => !keys.has(upload.key));
}

/** A row names the line that it came from, and the cycle that stored it. */
function auditLineage({ live, record }: Evidence, due: readonly RawUpload[], findings: Findings): void {
  const uploads = new Map(due.map((upload) => [upload.key, upload]));
  const generations = new Map(record.generations.map((generation) => [generation.name, generation.cycle]));
  const wrong: string[] = [];
  for (const chunk of live) {
    const cycle = generations.get(chunk.generation);
    if (cycle === undefined) findings.add(`${chunk.name} is committed, but meridian.cycle has no such generation`);
    for (const row of chunk.rows) {
      const fate = uploads.get(row.object)?.lines[row.line - 1]?.fate;
      const right =
        fate?.kind === 'record' && fate.key === row.key && (cycle === undefined || (row.cycleId === cycleId(cycle) && row.generation === cycle.generation));
      if (!right) wrong.push(`${row.key} of ${row.object}:${row.line}`);
    }
  }
  findings.addAll('stored record(s) whose lineage is not true', wrong);
}

/** @returns lines that must be in quarantine */
function auditQuarantine({ live }: Evidence, due: readonly RawUpload[], findings: Findings): number {
  const expected = due.flatMap(({ key, lines }) =>
    lines.flatMap(({ fate }, index) => (fate.kind === 'quarantined' ? [`${key}:${index + 1} ${fate.reason}`] : [])),
  );
  const found = live.flatMap((chunk) => chunk.quarantine.map((line) => `${line.object}:${line.line} ${line.reason}`));
  findings.addAll('bad line(s) lost from quarantine', missingFrom(new Set(found), expected));
  findings.addAll('line(s) in quarantine that do not belong there', missingFrom(new Set(expected), found));
  findings.addAll('bad line(s) in quarantine more than once', repeated(found));
  return expected.length;
}

/** Each object that is due was read by one live chunk, wholly, and is marked once its cycle has promoted. */
function auditObjects({ live, record, marks }: Evidence, due: readonly RawUpload[], findings: Findings): void {
  const settled = new Set(record.generations.filter(({ outcome }) => outcome === 'promoted' || outcome === 'empty').map(({ name }) => name));
  const loaded = new Set(marks.filter((mark) => mark.state === 'loaded').map((mark) => mark.key));
  const read = (upload: RawUpload) => live.filter((chunk) => chunk.document?.objects.some((object) => object.key === upload.key));
  findings.addAll('object(s) that no live chunk has read', due.filter((upload) => read(upload).length === 0).map(({ key }) => key));
  const several: string[] = [];
  const unmarked: string[] = [];
  const unequal: string[] = [];
  for (const upload of due) {
    const readers = read(upload);
    if (readers.length > 1) several.push(`${upload.key} (${readers.map((chunk) => chunk.name).join(' and ')})`);
    for (const chunk of readers) {
      const counts = chunk.document?.objects.find((object) => object.key === upload.key)?.counts;
      const stored = chunk.rows.filter((row) => row.object === upload.key).length;
      const quarantined = chunk.quarantine.filter((line) => line.object === upload.key).length;
      if (counts?.read !== upload.lines.length || counts.stored !== stored || counts.duplicates !== upload.lines.length - stored - quarantined) {
        unequal.push(
          `${upload.key} has ${upload.lines.length} lines, of which ${stored} are stored and ${quarantined} in quarantine, while ${chunk.name} says ${JSON.stringify(counts)}`,
        );
      }
      if (settled.has(chunk.generation) && !loaded.has(upload.key)) unmarked.push(`${upload.key} of ${chunk.generation}`);
    }
  }
  findings.addAll('object(s) whose counts are not what is there', unequal);
  findings.addAll('object(s) in more than one live chunk', several);
  findings.addAll('object(s) of settled cycles that are not marked loaded, so would be read again', unmarked);
}

/** What a person looks into after a rejected night must still be there. */
async function auditRejected({ subject, record, ledger, marks }: Evidence, findings: Findings): Promise<void> {
  const asideBy = new Map(marks.filter((mark) => mark.state === 'set-aside').map((mark) => [mark.key, mark.generation]));
  for (const { name, cycle } of record.generations.filter(({ outcome }) => outcome === 'rejected')) {
    const uploads = subject.nights.filter((night) => night.intervalEnd === cycle.intervalEnd).flatMap((night) => night.uploads);
    // Read again by a rerun, they are due like any other.
    const readAgain = record.generations.some((later) => later.cycle.intervalEnd === cycle.intervalEnd && later.rerun?.from === 'discover');
    findings.addAll(
      `object(s) of ${name}, which was rejected, that are not set aside`,
      readAgain ? [] : uploads.filter(({ key }) => asideBy.get(key) !== generationPrefix(cycle)).map(({ key }) => key),
    );
    const expected = uploads.flatMap(({ lines }) => lines.filter(({ fate }) => fate.kind === 'quarantined')).length;
    let found = 0;
    for (const chunk of ledger.chunks.filter((each) => each.generation === name)) {
      const key = `${generationPrefix(cycle)}/dedup/${String(chunk.chunk).padStart(6, '0')}-${chunk.attempt}.jsonl.gz`;
      // A chunk without a bad line has no file.
      found += (await readQuarantine(subject, key).catch(() => [])).length;
    }
    if (found < expected) findings.add(`${name} was rejected: ${found} of its ${expected} bad lines are still in quarantine`);
  }
}
