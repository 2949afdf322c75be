import type { Usage } from './measure';
import type { Result } from './results';

/** One benchmark: an answer to one question in numbers, on real engines. */
export interface Benchmark {
  readonly name: string;
  /** The question, one line of `--help`. */
  readonly title: string;
  run(context: BenchContext): Promise<Findings>;
}

export interface BenchContext {
  /** Smaller inputs: all benchmarks together within three minutes. */
  readonly quick: boolean;
  /** An empty folder, removed afterwards. */
  readonly scratch: string;
  /** Another commit of the product to measure by turns with the present one, where a benchmark can. */
  readonly against?: Checkout;
  /** What happens now, for whoever waits. */
  note(message: string): void;
}

export interface Checkout {
  readonly commit: string;
  /** Its folder, with this one's packages. */
  readonly root: string;
}

export interface Findings {
  readonly results: readonly Result[];
  /** Of the engines and workers that were measured; the harness's own work is not in it where it can be left out. */
  readonly usage: Usage;
}
