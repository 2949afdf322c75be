import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import type { Step } from '../domain/announcement';
import { type CycleOutcome, type CycleRef, STAGES, type Stage } from '../domain/cycle';
import type { CycleProgress, StageProgress } from '../domain/progress';
import { stageMarkdown } from '../domain/stage-markdown';
import { stageAttribute } from './search-attributes';

/** Keeps the stage table of one cycle: what the query answers and the Web UI shows as the workflow's current details. */
export class StageTable {
  private readonly rows: Map<Stage, StageProgress>;
  private cycle: CycleRef | undefined;
  private outcome: CycleOutcome | undefined;
  private next: readonly Step[] = [];

  constructor(
    private readonly pipeline: string,
    stages: readonly Stage[] = STAGES,
  ) {
    this.rows = new Map(stages.map((stage) => [stage, { stage, state: 'waiting' }]));
  }

  get stages(): readonly StageProgress[] {
    return [...this.rows.values()];
  }

  get progress(): CycleProgress {
    return {
      pipeline: this.pipeline,
      intervalStart: this.cycle?.intervalStart ?? '',
      intervalEnd: this.cycle?.intervalEnd ?? '',
      ...(this.cycle === undefined ? {} : { generation: this.cycle.generation }),
      ...(this.outcome === undefined ? {} : { outcome: this.outcome }),
      stages: this.stages,
      ...(this.next.length === 0 ? {} : { next: this.next }),
    };
  }

  open(cycle: CycleRef): void {
    this.cycle = cycle;
    this.publish();
  }

  /** Runs a stage; what `body` says through `detail` is its one sentence. */
  async run<T>(stage: Stage, body: (detail: (sentence: string) => void) => Promise<T>): Promise<T> {
    upsertSearchAttributes([{ key: stageAttribute, value: stage }]);
    this.set({ stage, state: 'running', startedAtMs: Date.now() });
    try {
      const result = await body((detail) => this.set({ ...this.row(stage), detail }));
      this.set({ ...this.row(stage), state: 'done', finishedAtMs: Date.now() });
      return result;
    } catch (error) {
      this.set({ ...this.row(stage), state: 'failed', finishedAtMs: Date.now() });
      throw error;
    }
  }

  /** A stage that is not run again: its results are an earlier generation's. */
  reuse(stage: Stage, detail: string): void {
    this.set({ stage, state: 'skipped', detail });
  }

  /** What a person may do while the cycle waits for one; nothing once it goes on. */
  offer(next: readonly Step[]): void {
    this.next = next;
    this.publish();
  }

  /** @param next - what a person may do after it */
  close(outcome: CycleOutcome, next: readonly Step[] = []): void {
    this.outcome = outcome;
    this.next = next;
    for (const row of this.stages) if (row.state === 'waiting') this.rows.set(row.stage, { ...row, state: 'skipped' });
    this.publish();
  }

  private row(stage: Stage): StageProgress {
    return this.rows.get(stage) ?? { stage, state: 'waiting' };
  }

  private set(row: StageProgress): void {
    this.rows.set(row.stage, row);
    this.publish();
  }

  private publish(): void {
    setCurrentDetails(stageMarkdown(this.progress));
  }
}
