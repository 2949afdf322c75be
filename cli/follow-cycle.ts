import { setTimeout } from 'node:timers/promises';
import { type Client, WorkflowFailedError } from '@temporalio/client';
import type { CycleProgress, CycleReport, StageProgress } from '../domain/progress';
import { PayloadRefused } from '../edge/payload-codec';
import { pendingActivities } from './pending-activities';

/** Where a followed cycle says what it does. */
export interface CycleWatcher {
  /** A stage began, ended or says something new. */
  stage(row: StageProgress): void;
  /** How far the running stage is, as its activity heartbeats it. */
  advance(stage: string, done: number, total: number, unit: string): void;
  /** An activity of the running stage failed and is tried again. */
  retry(stage: string, activity: string, attempt: number, message: string): void;
}

const POLL_MS = 500;

/**
 * Follows a cycle to its end. A query that fails, as while the worker restarts, is asked again; the result is what ends the wait.
 * @param early - a report that is enough, though the execution goes on
 * @throws Error with the workflow's failure, nearest the cause
 */
export async function followCycle<Report extends { readonly stages: readonly StageProgress[] } = CycleReport>(
  client: Client,
  workflowId: string,
  watcher: CycleWatcher,
  early: () => Promise<Report | undefined> = async () => undefined,
): Promise<Report> {
  const handle = client.workflow.getHandle(workflowId);
  const seen = new Map<string, string>();
  const retried = new Map<string, number>();
  const show = (stages: readonly StageProgress[]) => {
    for (const row of stages) {
      const state = `${row.state}|${row.detail ?? ''}`;
      if (row.state === 'waiting' || seen.get(row.stage) === state) continue;
      seen.set(row.stage, state);
      watcher.stage(row);
    }
  };
  const outcome = handle.result().then(
    (report: Report) => ({ report }),
    (error: unknown) => ({ error }),
  );
  for (;;) {
    const ended = await Promise.race([outcome, setTimeout(POLL_MS)]);
    const progress = await handle.query<CycleProgress>('progress').catch(() => undefined);
    if (progress !== undefined) show(progress.stages);
    if (ended === undefined) {
      await showActivities(client, workflowId, watcher, progress, retried);
      const report = await early();
      if (report !== undefined) return report;
    } else if ('report' in ended) {
      show(ended.report.stages);
      return ended.report;
    } else {
      if (ended.error instanceof PayloadRefused) throw ended.error; // it ended; how, is not for us to read
      throw new Error(`The cycle ${workflowId} did not end well: ${failureOf(ended.error)}\n${nextStep(workflowId)}`);
    }
  }
}

/** A dry run's execution is no cycle's, and leaves no record. */
function nextStep(workflowId: string): string {
  if (!workflowId.startsWith('etl/')) return `See \`temporal workflow show --workflow-id ${workflowId}\``;
  return `See \`meridian cycles show ${workflowId}\`, and its job's log by \`meridian logs ${workflowId}\``;
}

/** What the pending activities heartbeat, and why the last attempt of one failed: without it a retried fault looks like a hang. */
async function showActivities(
  client: Client,
  workflowId: string,
  watcher: CycleWatcher,
  progress: CycleProgress | undefined,
  retried: Map<string, number>,
): Promise<void> {
  const running = progress?.stages.find((row) => row.state === 'running')?.stage ?? 'conclude';
  for (const { id, type, attempt, lastFailure, heartbeat } of await pendingActivities(client, workflowId).catch(() => [])) {
    if (attempt > 1 && lastFailure !== undefined && (retried.get(id) ?? 1) < attempt) {
      retried.set(id, attempt);
      watcher.retry(running, type, attempt, lastFailure);
    }
    if (typeof heartbeat?.done === 'number' && typeof heartbeat.total === 'number') {
      watcher.advance(running, heartbeat.done, heartbeat.total, heartbeat.unit ?? '');
    }
  }
}

/** The message nearest the cause. */
export function failureOf(error: unknown): string {
  let deepest = error instanceof WorkflowFailedError ? error.cause : error;
  while (deepest instanceof Error && deepest.cause instanceof Error) deepest = deepest.cause;
  return deepest instanceof Error ? deepest.message : String(deepest);
}
