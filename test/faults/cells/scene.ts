import type { WorkflowHandle } from '@temporalio/client';
import type { PipelineSpec } from '../../../domain/pipeline-spec';
import type { Lab, NightOutcome } from '../lab';
import type { Point } from './points';

/** What a fault has at hand. It strikes night 2 of the scenario's own pipeline, or what somebody does with it. */
export interface Scene {
  readonly lab: Lab;
  readonly spec: PipelineSpec;
  /** Resolves once the execution that is struck has been started. */
  readonly night: Promise<WorkflowHandle>;
  /** A whole number from `least` to `most`, by the scenario's seed. */
  readonly random: (least: number, most: number) => number;
  /** Starts the next night of the dataset now, instead of after this one. */
  readonly overtake: () => Promise<void>;
  /** Work that a fault goes on with beside the night; the scenario waits for it. */
  readonly beside: (work: Promise<unknown>) => void;
}

/** Before the engine hears of the call; after its effect and before the caller has the answer; once the caller has it. */
export type Moment = 'before' | 'after' | 'acknowledged';

export interface Fault {
  readonly id: string;
  readonly moment?: Moment;
  /** What the faulty night may come to; anything else is a violation. */
  readonly outcomes: readonly NightOutcome[];
  /**
   * Prepares the fault, before the night starts.
   * @param from - which call of the point it acts on, from 1
   * @returns how often it has struck so far
   */
  readonly arm: (scene: Scene, point: Point, from: number) => Promise<() => number> | (() => number);
}
