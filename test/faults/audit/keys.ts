import type { Evidence } from './evidence';
import { type DateLedger, readDateLedger } from './ledger';
import { repeated } from './sets';
import type { LiveChunk } from './storage';
import { Findings, type Finding } from './subject';

/** I2: a key is stored once and served once, and the ledger holds the fingerprints of exactly what is stored. */
export async function auditKeys(evidence: Evidence): Promise<Finding> {
  const findings = new Findings('I2');
  const stored = evidence.live.flatMap((chunk) => chunk.rows.map((row) => row.key));
  const served = evidence.servedKeys ?? [];
  findings.addAll('key(s) stored more than once', repeated(stored));
  findings.addAll('key(s) served more than once', repeated(served));
  await auditDates(evidence, findings);
  return { violations: findings.violations, counts: { duplicated: Math.max(excess(stored), excess(served)) } };
}

/** The commit log of each event date names each live chunk once, no other, without a gap. */
async function auditDates({ subject, ledger, live }: Evidence, findings: Findings): Promise<void> {
  const dates = new Set(ledger.chunks.flatMap((chunk) => Object.keys(chunk.dates)));
  for (const date of [...dates].sort()) {
    const log = await readDateLedger(subject, date);
    const sequences = log.entries.map((entry) => entry.sequence);
    if (sequences.some((sequence, index) => sequence !== index + 1)) {
      findings.add(`the commit log of ${date} has the sequence numbers ${sequences.join(', ')}, expected 1 to ${sequences.length}`);
    }
    const voided = new Set(log.entries.filter((entry) => entry.kind === 'void').map((entry) => entry.attempt));
    // Past its TTL an entry is as good as deleted: DynamoDB deletes late, and in any order.
    const standing = log.entries.filter((entry) => entry.ttl > Date.now() / 1_000);
    const counting = standing.filter((entry) => entry.kind === 'chunk' && !voided.has(entry.attempt)).map((entry) => entry.attempt);
    findings.addAll(`attempt(s) twice in the commit log of ${date}`, repeated(counting));
    const known = new Set(live.filter((chunk) => (chunk.dates[date] ?? 0) > 0).map((chunk) => chunk.attempt));
    findings.addAll(`attempt(s) that count as seen on ${date} but have no live chunk`, counting.filter((attempt) => !known.has(attempt)));
    for (const chunk of live) auditFingerprints(chunk, date, log, counting, findings);
  }
}

function auditFingerprints(chunk: LiveChunk, date: string, log: DateLedger, counting: readonly string[], findings: Findings): void {
  const rows = chunk.rows.filter((row) => row.eventDate === date);
  const declared = chunk.dates[date] ?? 0;
  if (declared === 0 && rows.length === 0) return;
  if (!counting.includes(chunk.attempt)) return findings.add(`${chunk.name} is live, but the commit log of ${date} does not count it: its records could be stored again`);
  const fingerprints = log.segments.get(chunk.attempt) ?? [];
  const entry = log.entries.find((each) => each.kind === 'chunk' && each.attempt === chunk.attempt);
  const inSegments = chunk.hasSegments ? declared : 0;
  if (new Set([declared, entry?.count, rows.length]).size > 1 || fingerprints.length !== inSegments) {
    findings.add(
      `${chunk.name} on ${date}: its item says ${declared} records, the log ${entry?.count}, its segments hold ${fingerprints.length}, its files ${rows.length}`,
    );
  }
  if (!chunk.hasSegments) return;
  const held = new Set(fingerprints);
  findings.addAll(`record(s) of ${chunk.name} on ${date} without a fingerprint`, rows.filter((row) => !held.has(row.fingerprint)).map((row) => row.key));
}

function excess(keys: readonly string[]): number {
  return keys.length - new Set(keys).size;
}
