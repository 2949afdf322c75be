import type { WorkflowHandle } from '@temporalio/client';
import { cycleWorkflowId } from '../../domain/cycle';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import type { CycleReport } from '../../domain/progress';
import type { RerunRequest } from '../../domain/rerun';
import { BUNDLE_CACHE } from '../support/worker';
import { audit } from './audit/audit';
import type { AuditedNight, ExpectedOutcome } from './audit/subject';
import type { Lab } from './lab';
import { NIGHT_LIMIT_MS } from './nights';
import { nightEnd, type RawUpload, rawNight } from './raw-night';

const SEED = 3;

/** The nights of one pipeline, each with what it came to in the end. */
export class Story {
  private readonly uploads: RawUpload[][] = [];
  private readonly outcomes: ExpectedOutcome[] = [];

  constructor(
    private readonly lab: Lab,
    readonly spec: PipelineSpec,
  ) {}

  async start(index: number) {
    if (this.uploads[index - 1] === undefined) {
      const uploads = [...rawNight(this.spec.name, index, SEED, this.uploads.flat())];
      this.uploads.push(uploads);
      await this.lab.upload(uploads);
    }
    return this.lab.startNight(this.spec, index);
  }

  async failsRule(index: number): Promise<void> {
    await this.lab.script(this.spec, index, { check: { added: { outcome: 'fail-rule' } } });
  }

  async ends(index: number, expected: ExpectedOutcome, handle: WorkflowHandle | Promise<WorkflowHandle> = this.start(index)): Promise<void> {
    const ended = await this.lab.ended(await handle, NIGHT_LIMIT_MS);
    expect([ended.outcome, ended.detail]).toEqual([expected, expect.anything()]);
    this.outcomes[index - 1] = expected;
  }

  async rerun(index: number, rerun: RerunRequest): Promise<CycleReport> {
    const intervalEnd = nightEnd(index);
    const report = (await this.lab.access.temporal.workflow.execute('etlCycle', {
      workflowId: cycleWorkflowId(this.spec.name, intervalEnd),
      taskQueue: 'meridian',
      args: [{ pipeline: this.spec.name, intervalEnd, rerun }],
    })) as CycleReport;
    this.outcomes[index - 1] = report.outcome === 'promoted' ? 'promoted' : 'any';
    return report;
  }

  /** Nothing lost, nothing twice, every gate passed or approved, nothing left over (I1–I9). */
  async holds(workers: { readonly killed: boolean } = { killed: false }): Promise<void> {
    const nights: readonly AuditedNight[] = this.uploads.map((uploads, index) => ({
      intervalEnd: nightEnd(index + 1),
      workflowId: cycleWorkflowId(this.spec.name, nightEnd(index + 1)),
      expected: this.outcomes[index] ?? 'any',
      uploads,
    }));
    const report = await audit({
      spec: this.spec,
      access: this.lab.access,
      nights,
      outcomes: await this.lab.outcomes.drain(),
      workers: { workDirs: this.lab.workers.workDirs, running: true, ...workers },
      lostNotification: workers.killed, // between its publication and its confirmation it is told again, by the same id
      bundleDir: BUNDLE_CACHE,
    });
    expect(report.violations).toEqual([]);
  }
}

/** The message nearest the cause of a promise that must not be kept. */
export async function refusal(of: Promise<unknown>): Promise<string> {
  const error: unknown = await of.catch((thrown: unknown) => thrown);
  let deepest = error;
  while (deepest instanceof Error && deepest.cause instanceof Error) deepest = deepest.cause;
  return deepest instanceof Error ? deepest.message : `no error but ${JSON.stringify(error)}`;
}
