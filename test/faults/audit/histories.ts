import { type WorkflowHandle, WorkflowNotFoundError } from '@temporalio/client';
import type { temporal as api } from '@temporalio/proto';
import { Worker } from '@temporalio/worker';
import { cycleWorkflowId } from '../../../domain/cycle';
import { workflowBundle } from '../../../worker/bundle';
import type { Evidence } from './evidence';
import { type AuditSubject, Findings, type Finding } from './subject';

/** Design section 1: a cycle of 100,000 objects stays below. */
const MOST_EVENTS = 2_000;

/** I8: no execution of the pipeline is running, and the history of each replays against today's code. Install a quiet `Runtime` before. */
export async function auditHistories({ subject, record }: Evidence): Promise<Finding> {
  const findings = new Findings('I8');
  const { temporal } = subject.access;
  let longest = 0;
  const executions = await findExecutions(subject, record.generations);
  const histories: { readonly workflowId: string; readonly runId: string; readonly history: api.api.history.v1.IHistory }[] = [];
  for (const [workflowId, runId] of executions) {
    const handle = temporal.workflow.getHandle(workflowId, runId);
    const status = (await describe(handle))?.status;
    if (status === undefined) {
      findings.add(`Temporal knows nothing of ${workflowId} (run ${runId})`);
      continue;
    }
    if (status.name === 'RUNNING') findings.add(`${workflowId} (run ${runId}) is still running`);
    const history = await handle.fetchHistory();
    const events = history.events?.length ?? 0;
    longest = Math.max(longest, events);
    if (events >= MOST_EVENTS) findings.add(`the history of ${workflowId} (run ${runId}) has ${events} events, at most ${MOST_EVENTS} are allowed`);
    // Ended before any code of the workflow ran: there is nothing to replay.
    if (!history.events?.some((event) => event.workflowTaskCompletedEventAttributes != null)) continue;
    // A cycle goes by its own workflow id, so the replay must have it too.
    histories.push({ workflowId, runId, history });
  }
  let replayed = 0;
  // One worker for all, a history at a time.
  for await (const { error } of Worker.runReplayHistories({ workflowBundle: await workflowBundle(subject.bundleDir) }, histories)) {
    const { workflowId, runId } = histories[replayed] ?? { workflowId: 'unknown', runId: 'unknown' };
    if (error !== undefined) findings.add(`the history of ${workflowId} (run ${runId}) does not replay: ${String(error).slice(0, 2_000)}`);
    replayed += 1;
  }
  if (replayed !== histories.length) findings.add(`${replayed} of ${histories.length} histories were replayed`);
  return { violations: findings.violations, counts: { histories: executions.length, longestHistory: longest } };
}

/** By the record, by the ids of the nights, and by what Temporal lists. */
async function findExecutions(
  { spec, nights, access: { temporal } }: AuditSubject,
  generations: Evidence['record']['generations'],
): Promise<readonly (readonly [workflowId: string, runId: string])[]> {
  const found = new Map<string, readonly [string, string]>();
  for (const { workflowId, runId } of generations) found.set(runId, [workflowId, runId]);
  const ids = new Set(nights.flatMap((night) => [night.workflowId, cycleWorkflowId(spec.name, night.intervalEnd)]));
  for (const id of ids) {
    const described = await describe(temporal.workflow.getHandle(id)); // a night may never have been started
    if (described !== undefined) found.set(described.runId, [id, described.runId]);
  }
  const mine = new RegExp(`^etl/${spec.name}-\\d{4}-\\d{2}-\\d{2}T`);
  for await (const execution of temporal.workflow.list({ query: `WorkflowId STARTS_WITH 'etl/${spec.name}-'` })) {
    if (mine.test(execution.workflowId)) found.set(execution.runId, [execution.workflowId, execution.runId]);
  }
  return [...found.values()];
}

/** Undefined for an execution that Temporal does not know; any other error is the auditor's own. */
async function describe(handle: WorkflowHandle) {
  return handle.describe().catch((error: unknown) => {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  });
}
