import type { Client, WorkflowHandle } from '@temporalio/client';
import type { PipelineSpec } from '../../../domain/pipeline-spec';
import type { EndedNight, Lab } from '../lab';
import type { Nights } from '../nights';
import type { ReaderPool } from '../readers/reader-pool';

/** What a path works with: a pipeline of its own whose first night has promoted, among readers. */
export interface PathScene {
  readonly lab: Lab;
  readonly spec: PipelineSpec;
  readonly nights: Nights;
  readonly readers: ReaderPool;
  /** What is not as it should be. */
  readonly violations: string[];
}

/** An execution that a fault strikes, and what it comes to. */
export interface Struck {
  start(): Promise<WorkflowHandle>;
  /** Waits for its end, and for what the path does then. @param expected - outcomes that the fault allows */
  end(handle: WorkflowHandle, expected: readonly string[]): Promise<EndedNight>;
}

/** A way in which a team works with a pipeline, broken as the nightly is. */
export interface Path {
  /** How its pipelines are declared, where that differs. */
  declare?(spec: PipelineSpec): PipelineSpec;
  /** Brings the pipeline to where the path begins; nothing strikes yet. */
  begin(scene: PathScene): Promise<Struck>;
  /** Once nothing strikes any more, before the nights go on. */
  afterwards?(scene: PathScene): Promise<void>;
}

const TASK_QUEUE = 'meridian';

/** As `temporal workflow start` would, by a client that goes past the faults. */
export function startOf(client: Client, type: string, workflowId: string, input: object): Promise<WorkflowHandle> {
  return client.workflow.start(type, { workflowId, taskQueue: TASK_QUEUE, args: [input] });
}

/** The end of an execution that has to come to something, held to what the fault allows. */
export async function heldTo({ lab, violations }: PathScene, handle: WorkflowHandle, expected: readonly string[], limitMs: number): Promise<EndedNight> {
  const ended = await lab.ended(handle, limitMs);
  if (!expected.includes(ended.outcome)) violations.push(`${handle.workflowId} ended ${ended.outcome}, expected ${expected.join(' or ')}: ${ended.detail}`);
  if (ended.outcome === 'stuck') {
    violations.push(`I8: ${handle.workflowId} is stuck`);
    await handle.terminate('stuck').catch(() => undefined);
  }
  return ended;
}
