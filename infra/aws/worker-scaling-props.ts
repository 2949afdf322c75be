import type { RuntimeParameters } from './runtime-parameters';
import type { WorkerService } from './worker-service';

/** What is scaled, and between which numbers. */
export interface WorkerScalingProps {
  readonly parameters: RuntimeParameters;
  readonly worker: WorkerService;
}
