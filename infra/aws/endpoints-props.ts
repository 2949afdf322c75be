import type { Network } from './network';
import type { RuntimeParameters } from './runtime-parameters';

/** The network that the endpoints are in. */
export interface EndpointsProps {
  readonly parameters: RuntimeParameters;
  readonly network: Network;
  /** Whose requests the endpoints take. */
  readonly clients: string;
}
