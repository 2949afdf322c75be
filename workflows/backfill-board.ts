import { setCurrentDetails } from '@temporalio/workflow';
import type { Activities } from '../activities';
import type { BackfillInput } from '../domain/backfill';
import { backfillMarkdown } from '../domain/backfill-markdown';
import { type BackfillProgress, type BackfillState, type ConcludedInterval, remainingMs, type RunningInterval } from '../domain/backfill-progress';
import { CycleOutcome } from '../domain/cycle';

type BackfillPage = Awaited<ReturnType<Activities['planBackfill']>>;

/** Of those that were not loaded, so many are kept by name. */
const NAMED = 50;

/** What an execution hands to the one that continues it. */
export interface CarriedBackfill {
  /** Of the whole backfill: the continuing execution's own `from` is later. */
  readonly from: string;
  readonly startedAtMs: number;
  readonly outcomes: BackfillProgress['outcomes'];
  readonly settledMeanwhile: number;
  readonly notLoaded: readonly ConcludedInterval[];
  /** So many ended neither promoted nor empty since the last that did. */
  readonly inARow: number;
  readonly needDecision: BackfillProgress['needDecision'];
  readonly measured: { readonly cycles: number; readonly totalMs: number };
  /** Why it is paused; null while it is not. */
  readonly paused: string | null;
}

/** Keeps the counts of one backfill: what the query answers and the Web UI shows as the workflow's current details. */
export class BackfillBoard {
  private state: BackfillState = 'planning';
  private endedWhy: string | undefined;
  private left = 0;
  private medianMs: number | undefined;
  private readonly running = new Map<string, RunningInterval>();
  private counts: CarriedBackfill;

  constructor(
    private readonly input: BackfillInput,
    private readonly carried: CarriedBackfill | undefined,
    startedAtMs: number,
  ) {
    this.counts = carried ?? {
      from: input.from,
      startedAtMs,
      outcomes: { promoted: 0, empty: 0, rejected: 0, blocked: 0, failed: 0, cancelled: 0 },
      settledMeanwhile: 0,
      notLoaded: [],
      inARow: 0,
      needDecision: { count: 0, first: [] },
      measured: { cycles: 0, totalMs: 0 },
      paused: null,
    };
  }

  get handedOn(): CarriedBackfill {
    return this.counts;
  }

  get paused(): boolean {
    return this.counts.paused !== null;
  }

  get progress(): BackfillProgress {
    const { from, startedAtMs, outcomes, settledMeanwhile, notLoaded, needDecision, measured, paused } = this.counts;
    const { pipeline, to, all = false, concurrency = 1, by } = this.input;
    const state = this.state === 'running' && this.paused ? 'paused' : this.state;
    const why = state === 'paused' ? paused : this.endedWhy;
    const concluded = Object.values(outcomes).reduce((sum, count) => sum + count, settledMeanwhile);
    const waiting = this.left + this.running.size;
    const cycleMs = measured.cycles === 0 ? this.medianMs : Math.round(measured.totalMs / measured.cycles);
    return {
      pipeline,
      from,
      to,
      all,
      concurrency,
      ...(by === undefined ? {} : { by }),
      state,
      ...(why == null ? {} : { why }),
      total: concluded + waiting,
      outcomes,
      settledMeanwhile,
      left: this.left,
      running: [...this.running.values()],
      notLoaded,
      needDecision,
      startedAtMs,
      ...(cycleMs === undefined ? {} : { cycleMs }),
      // Of a paused one nobody knows.
      ...(cycleMs === undefined || waiting === 0 || state !== 'running' ? {} : { estimatedEndMs: Date.now() + remainingMs(cycleMs, waiting, concurrency) }),
    };
  }

  planned({ dueCount, needDecision, medianMs }: BackfillPage): void {
    this.state = 'running';
    this.left = dueCount;
    this.medianMs = medianMs;
    // A continuing execution plans only the rest of the range.
    this.set(this.carried === undefined ? { needDecision } : {});
  }

  settledMeanwhile(): void {
    this.left -= 1;
    this.set({ settledMeanwhile: this.counts.settledMeanwhile + 1 });
  }

  begin(intervalEnd: string, workflowId: string): void {
    this.left -= 1;
    this.running.set(intervalEnd, { intervalEnd, workflowId, sinceMs: Date.now(), another: false });
    this.publish();
  }

  /** It turned out to run already, started by somebody else. */
  waitsForAnother(intervalEnd: string): void {
    const interval = this.running.get(intervalEnd);
    if (interval !== undefined) this.running.set(intervalEnd, { ...interval, another: true });
    this.publish();
  }

  /** @returns how many in a row were not loaded, this one included */
  conclude({ intervalEnd, outcome, reason }: ConcludedInterval): number {
    const { outcomes, notLoaded, inARow, measured } = this.counts;
    const loaded = outcome === CycleOutcome.Promoted || outcome === CycleOutcome.Empty;
    const interval = this.running.get(intervalEnd);
    this.running.delete(intervalEnd);
    const own = interval !== undefined && !interval.another;
    this.set({
      outcomes: { ...outcomes, [outcome]: outcomes[outcome] + 1 },
      ...(loaded || notLoaded.length >= NAMED ? {} : { notLoaded: [...notLoaded, { intervalEnd, outcome, ...(reason === undefined ? {} : { reason }) }] }),
      inARow: loaded ? 0 : inARow + 1,
      ...(own ? { measured: { cycles: measured.cycles + 1, totalMs: measured.totalMs + Date.now() - interval.sinceMs } } : {}),
    });
    return this.counts.inARow;
  }

  pause(why: string): void {
    this.set({ paused: why });
  }

  resume(): void {
    this.set({ paused: null });
  }

  end(state: 'done' | 'stopped' | 'cancelled', why?: string): void {
    this.state = state;
    this.endedWhy = why;
    this.running.clear();
    this.publish();
  }

  private set(changed: Partial<CarriedBackfill>): void {
    this.counts = { ...this.counts, ...changed };
    this.publish();
  }

  private publish(): void {
    setCurrentDetails(backfillMarkdown(this.progress));
  }
}
