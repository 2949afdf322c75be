import type { WorkflowHandle } from '@temporalio/client';
import { CycleOutcome, cycleWorkflowId } from '../../domain/cycle';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import type { AuditedNight } from './audit/subject';
import type { EndedNight, Lab } from './lab';
import { nightEnd, rawNight, type RawUpload } from './raw-night';

/** A faulty night has ended by then, or is stuck. */
export const NIGHT_LIMIT_MS = Number(process.env['MERIDIAN_FAULT_NIGHT_SECONDS'] ?? 150) * 1_000;

/** The nights of one pipeline, from the second on; the first one has promoted. */
export class Nights {
  private readonly uploads: RawUpload[][] = [];
  private readonly running = new Map<number, WorkflowHandle>();
  private readonly outcomes = new Map<number, EndedNight>();
  private readonly elsewhere = new Set<number>();

  constructor(
    private readonly lab: Lab,
    private readonly spec: PipelineSpec,
    private readonly seed: number,
  ) {
    this.uploads.push([...rawNight(spec.name, 1, seed, [])]);
    this.outcomes.set(1, { outcome: CycleOutcome.Promoted, detail: '' });
  }

  get audited(): readonly AuditedNight[] {
    return this.uploads.map((uploads, index) => {
      const { outcome } = this.outcomes.get(index + 1) ?? { outcome: 'stuck' };
      const intervalEnd = nightEnd(index + 1);
      return { intervalEnd, workflowId: cycleWorkflowId(this.spec.name, intervalEnd), expected: outcome === 'stuck' || this.elsewhere.has(index + 1) ? 'any' : outcome, uploads };
    });
  }

  async upload(index: number): Promise<void> {
    if (this.uploads[index - 1] !== undefined) return;
    const uploads = [...rawNight(this.spec.name, index, this.seed, this.uploads.flat())];
    this.uploads.push(uploads);
    await this.lab.upload(uploads);
  }

  async start(index: number): Promise<WorkflowHandle> {
    await this.upload(index);
    const handle = this.running.get(index) ?? (await this.lab.startNight(this.spec, index));
    this.running.set(index, handle);
    return handle;
  }

  /** Another execution of a night that has ended. */
  async restart(index: number, start: () => Promise<WorkflowHandle>): Promise<WorkflowHandle> {
    const handle = await start();
    this.running.set(index, handle);
    return handle;
  }

  /** Nights whose cycles something else has started: a later one may have taken an earlier one's objects, which then ends empty. */
  loadedBySomebodyElse(from: number, to: number): void {
    for (let index = from; index <= to; index += 1) {
      this.outcomes.set(index, { outcome: CycleOutcome.Promoted, detail: '' });
      this.elsewhere.add(index);
    }
  }

  async end(index: number, expected: readonly string[], violations: string[]): Promise<EndedNight> {
    const handle = await this.start(index);
    const ended = await this.lab.ended(handle, NIGHT_LIMIT_MS);
    this.outcomes.set(index, ended);
    if (!expected.includes(ended.outcome)) violations.push(`night ${index} ended ${ended.outcome}, expected ${expected.join(' or ')}: ${ended.detail}`);
    if (ended.outcome === 'stuck') {
      violations.push(`I8: night ${index} is stuck`);
      await handle.terminate('stuck').catch(() => undefined);
    }
    return ended;
  }

  /** Nothing strikes any more: within a night or two everything stands as it should. */
  async cleanUntilPromoted(from: number, violations: string[]): Promise<void> {
    for (let index = from; this.running.has(index) || this.outcomes.get(index - 1)?.outcome !== CycleOutcome.Promoted; index += 1) {
      const { outcome } = await this.end(index, [CycleOutcome.Promoted], violations);
      if (outcome !== CycleOutcome.Promoted) return;
    }
  }
}
