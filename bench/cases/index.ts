import type { Benchmark } from '../benchmark';
import { cycleOverhead } from './cycle-overhead';

/** In the order in which they run. */
export const BENCHMARKS: readonly Benchmark[] = [cycleOverhead];
