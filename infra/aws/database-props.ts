import type { Network } from './network';
import type { RuntimeParameters } from './runtime-parameters';

/** Which PostgreSQL is used, and from where. */
export interface DatabaseProps {
  readonly parameters: RuntimeParameters;
  readonly network: Network;
}
