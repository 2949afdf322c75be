import type { RuntimeParameters } from './runtime-parameters';

/** Which network is used, or how a new one is laid out. */
export interface NetworkProps {
  readonly parameters: RuntimeParameters;
}
