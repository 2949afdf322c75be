import { patched, upsertSearchAttributes } from '@temporalio/workflow';
import { nextSteps, type Step, utcMinute } from '../domain/announcement';
import { CycleOutcome, type CycleRef } from '../domain/cycle';
import { decisionSentence } from '../domain/decision';
import type { PipelineSpec } from '../domain/pipeline-spec';
import { shortStep } from './activity-options';
import type { DecisionDesk } from './decision-desk';
import { describedActivities, promptActivities } from './described-activities';
import { failedRules, type GateVerdict } from './quality-gate';
import { announcementOf, type ReportDraft } from './report-draft';
import { outcomeAttribute } from './search-attributes';
import type { Detail } from './stages';

const short = promptActivities(shortStep);
const seen = describedActivities(shortStep);

/** Where the stage table says that the cycle waits for a person, and what that person may do. */
interface HeldRow {
  readonly detail: Detail;
  readonly offer: (next: readonly Step[]) => void;
}

/**
 * Whether the cycle may go on to the load: its rules have passed, or a person approved it all the same. Else the report says why not.
 * A held cycle keeps the dataset's turn until then.
 */
export async function passesGate(
  spec: PipelineSpec,
  cycle: CycleRef,
  gate: GateVerdict,
  desk: DecisionDesk,
  report: ReportDraft,
  { detail, offer }: HeldRow,
): Promise<boolean> {
  report.rules = gate.rules;
  report.gate = gate.rowCounts;
  const failed = failedRules(gate.rules);
  if (failed.length === 0) return true;
  report.reason = failed.map((rule) => `${rule.step}: ${rule.rule} (${rule.message ?? rule.result})`).join('; ');
  const rulesFailed = `${failed.length} ${failed.length === 1 ? 'rule' : 'rules'} failed`;
  const { hold } = spec.quality;
  if (hold !== undefined) {
    upsertSearchAttributes([{ key: outcomeAttribute, value: 'held' }]);
    const announcement = announcementOf(report);
    offer(nextSteps({ ...announcement, outcome: 'held' }));
    // Told beside the wait: which of a decision and a step within the task comes first is not in the history, and a replay may take them the
    // other way round. The end of an activity is (decision 0029).
    const telling = patched('2026-11-held-is-told-by-activities') ? seen : short;
    const decision = await desk.wait(hold, async (reminder, until) => {
      if (reminder === 0) {
        detail(`held: ${rulesFailed}; waits until ${utcMinute(until)} for a person's decision`);
        await telling.recordCounts({ cycle, counts: { held: { until, failedRules: failed.length } } });
      }
      await telling.announceOutcome({ ...announcement, until, ...(reminder === 0 ? { outcome: 'held' } : { outcome: 'reminder', reminder }) });
    });
    report.decision = decision;
    offer([]);
    detail(`${rulesFailed}; ${decisionSentence(decision)}`);
    if (decision.decision === 'approve') {
      delete report.reason;
      return true;
    }
    report.reason += `; ${decisionSentence(decision)}`;
  }
  report.outcome = CycleOutcome.Rejected;
  return false;
}
