import type { Database } from './database';
import type { Network } from './network';
import type { RuntimeParameters } from './runtime-parameters';

/** Where the worker runs, and what it speaks to. */
export interface WorkerServiceProps {
  readonly parameters: RuntimeParameters;
  readonly network: Network;
  readonly database: Database;
}
