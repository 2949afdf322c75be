import { auditConservation } from './conservation';
import { type Evidence, gatherEvidence } from './evidence';
import { auditGate } from './gate';
import { auditHistories } from './histories';
import { auditJobs } from './jobs';
import { auditKeys } from './keys';
import { auditLeftovers } from './leftovers';
import { auditNotifications } from './notifications';
import { auditPromotions } from './promotions';
import { auditRefresh } from './refresh';
import type { AuditCounts, AuditReport, AuditSubject, Finding, Invariant } from './subject';
import { auditViews } from './views';

const AUDITS: readonly (readonly [Invariant, (evidence: Evidence) => Finding | Promise<Finding>])[] = [
  ['I1', auditConservation],
  ['I1', auditRefresh],
  ['I2', auditKeys],
  ['I3', auditViews],
  ['I4', auditGate],
  ['I5', auditJobs],
  ['I6', auditPromotions],
  ['I7', auditLeftovers],
  ['I8', auditHistories],
  ['I9', auditNotifications],
];

const NOTHING: AuditCounts = {
  records: 0,
  lost: 0,
  duplicated: 0,
  quarantined: 0,
  reads: 0,
  badReads: 0,
  promotions: 0,
  generations: 0,
  jobs: 0,
  jobsPerTokenMax: 0,
  lingeringFiles: 0,
  gatePartitions: 0,
  scratchFolders: 0,
  histories: 0,
  longestHistory: 0,
  notifications: 0,
  repeatedNotifications: 0,
};

/**
 * Recounts a scenario that has ended from outside: raw lines against storage, view and quarantine, jobs, promotions, leftovers,
 * histories and messages, by calls and statements of its own. Changes nothing. An invariant that cannot be looked into counts as
 * violated.
 */
export async function audit(subject: AuditSubject): Promise<AuditReport> {
  const evidence = await gatherEvidence(subject);
  const findings: Finding[] = [];
  for (const [invariant, look] of AUDITS) {
    try {
      findings.push(await look(evidence));
    } catch (error) {
      const message = `could not be looked into: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
      findings.push({ violations: [{ invariant, message }], counts: {} });
    }
  }
  return {
    violations: findings.flatMap((finding) => finding.violations),
    counts: Object.assign({ ...NOTHING }, ...findings.map((finding) => finding.counts)) as AuditCounts,
  };
}
