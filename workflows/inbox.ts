import {
  ActivityFailure,
  allHandlersFinished,
  ApplicationFailure,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  isCancellation,
  log,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  startChild,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { cycleWorkflowId } from '../domain/cycle';
import { type DataInterval, toRfc3339 } from '../domain/data-interval';
import { FailureType } from '../domain/failure-type';
import {
  type ArrivedObject,
  emptyInbox,
  type InboxCycle,
  type InboxState,
  type InboxView,
  nextInterval,
  nextStartMs,
  startReason,
  type StartReason,
  viewOf,
  withArrivals,
  withEnded,
  withFault,
  withLooked,
  withTaken,
} from '../domain/inbox';
import { inboxMarkdown } from '../domain/inbox-markdown';
import type { IngestDeclaration } from '../domain/ingest';
import { dataStep, pureLookup, waitStep } from './activity-options';
import { autoUpgrade } from './auto-upgrade';
import { describedActivities } from './described-activities';
import { etlCycle } from './etl-cycle';
import { pipelineAttribute } from './search-attributes';

export interface InboxInput {
  readonly pipeline: string;
  /** What the execution before knew; absent: the inbox is new. */
  readonly carried?: InboxState;
}

/** Objects arrived: sent by signal-with-start, as often as an event comes. */
export const objectsArrivedSignal = defineSignal<[readonly ArrivedObject[]]>('objectsArrived');
export const inboxQuery = defineQuery<InboxView>('inbox');
/** Starts a cycle as soon as none runs, if there is an object to load. */
export const flushUpdate = defineUpdate<InboxView>('flush');
/** Arrivals are counted, and no cycle is started until `resume`. One that runs goes on. */
export const pauseUpdate = defineUpdate<InboxView>('pause');
export const resumeUpdate = defineUpdate<InboxView>('resume');

/** Far below the server's own suggestion: whichever worker takes an inbox over replays at most this much. */
const MOST_EVENTS = 500;
/** While nothing is due the inbox looks around once a day all the same. */
const LONGEST_WAIT_MS = 24 * 3_600_000;

const { resolveIngest } = describedActivities(pureLookup);
const { countUnloaded } = describedActivities(dataStep);
const { awaitCycle } = describedActivities(waitStep);

/**
 * Decides when a pipeline's arriving objects are loaded: by their number, bytes or age, or when a listing finds some of which no event
 * told. What is loaded, and that it is loaded once, is the cycles' business: no copy, delay or loss of an event changes what is served.
 * Lives until its pipeline no longer runs on objects, and continues as new before its history grows.
 */
export async function inbox({ pipeline, carried }: InboxInput): Promise<InboxView> {
  const box = new Inbox(pipeline, carried ?? emptyInbox(Date.now()));
  upsertSearchAttributes([{ key: pipelineAttribute, value: pipeline }]);
  let declaration = await resolveIngest({ pipeline });
  while (declaration !== undefined) {
    box.declare(declaration);
    if (isHistoryLong()) {
      await condition(allHandlersFinished);
      return continueAsNew<typeof inbox>({ pipeline, carried: box.state });
    }
    const { running } = box.state;
    const reason = startReason(box.state, declaration.ingest, Date.now());
    if (running !== undefined) await Promise.race([watchCycle(box, running), condition(isHistoryLong)]);
    else if (reason === undefined) await waitUntilDue(box, declaration);
    else {
      declaration = await resolveIngest({ pipeline });
      if (declaration !== undefined) await startCycle(box, declaration, reason);
    }
  }
  await condition(allHandlersFinished);
  return box.view;
}

autoUpgrade(inbox);

/** The state and its handlers; every change shows in the Web UI. */
class Inbox {
  private prefix: string | undefined;
  private uncounted: ArrivedObject[] = [];

  constructor(
    readonly pipeline: string,
    private current: InboxState,
  ) {
    setHandler(objectsArrivedSignal, (objects) => {
      this.uncounted.push(...objects);
      if (this.prefix !== undefined) this.count(this.prefix);
    });
    setHandler(inboxQuery, () => this.view);
    const refusePaused = () => {
      if (this.current.paused) throw ApplicationFailure.nonRetryable(`The inbox of "${pipeline}" is paused: resume it first`, FailureType.InboxPaused);
    };
    setHandler(flushUpdate, () => this.change({ ...this.current, flushAsked: true }), { validator: refusePaused });
    setHandler(pauseUpdate, () => this.change({ ...this.current, paused: true, flushAsked: false }));
    setHandler(resumeUpdate, () => this.change({ ...this.current, paused: false }));
  }

  get state(): InboxState {
    return this.current;
  }

  get view(): InboxView {
    return viewOf(this.pipeline, this.current);
  }

  /** Only a declaration says which keys are the pipeline's: what was told before waits for it. */
  declare({ raw }: IngestDeclaration): void {
    this.prefix = raw.prefix;
    this.count(raw.prefix);
  }

  change(next: InboxState): InboxView {
    this.current = next;
    setCurrentDetails(inboxMarkdown(this.view));
    return this.view;
  }

  private count(prefix: string): void {
    this.change(withArrivals(this.current, this.uncounted.splice(0), prefix, Date.now()));
  }
}

async function waitUntilDue(box: Inbox, declaration: IngestDeclaration): Promise<void> {
  const dueMs = nextStartMs(box.state, declaration.ingest);
  const changed = () =>
    isHistoryLong() ||
    nextStartMs(box.state, declaration.ingest) !== dueMs ||
    startReason(box.state, declaration.ingest, Date.now()) !== undefined;
  const waiting = box.state.pending.objectCount;
  const summary = box.state.paused ? 'paused' : waiting > 0 ? `${waiting} objects wait: age limit, or next listing` : 'next listing';
  await condition(changed, Math.max(1, Math.min(LONGEST_WAIT_MS, (dueMs ?? Infinity) - Date.now())), { summary });
}

/** A listing says first whether there is anything to load: copies of events start no empty cycle. */
async function startCycle(box: Inbox, declaration: IngestDeclaration, reason: StartReason): Promise<void> {
  const { pending: taken } = box.state;
  const startedMs = Date.now();
  const interval = nextInterval(box.state, declaration, startedMs);
  box.change(withTaken(box.state));
  try {
    const { objectCount } = await countUnloaded({ declaration, interval });
    box.change(withLooked(box.state, interval, startedMs, declaration.ingest));
    if (objectCount === 0) return;
    const workflowId = cycleWorkflowId(declaration.name, interval.end);
    await startUnlessRunning(workflowId, declaration.name, interval);
    box.change({ ...box.state, running: { workflowId, intervalEnd: interval.end, reason, startedAt: toRfc3339(new Date()), objectCount } });
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
    box.change(withFault(box.state, taken, error.cause?.message ?? error.message, Date.now()));
  }
}

/** The cycle goes on when the inbox ends or continues as new. One that runs already, such as a nightly of the same end, is waited for. */
async function startUnlessRunning(workflowId: string, pipeline: string, interval: DataInterval): Promise<void> {
  try {
    await startChild(etlCycle, {
      workflowId,
      args: [{ pipeline, intervalStart: interval.start, intervalEnd: interval.end }],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      staticSummary: `${pipeline} until ${interval.end}, on arrival`,
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}

async function watchCycle(box: Inbox, cycle: InboxCycle): Promise<void> {
  try {
    const { outcome } = await awaitCycle({ workflowId: cycle.workflowId });
    box.change(withEnded(box.state, { ...cycle, outcome }));
  } catch (error) {
    if (isCancellation(error) || !(error instanceof ActivityFailure)) throw error;
    log.warn('The end of a cycle was not learnt, it is asked for again', { workflowId: cycle.workflowId });
  }
}

function isHistoryLong(): boolean {
  const { historyLength, continueAsNewSuggested } = workflowInfo();
  return continueAsNewSuggested || historyLength > MOST_EVENTS;
}
