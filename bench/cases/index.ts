import type { Benchmark } from '../benchmark';
import { cycleOverhead } from './cycle-overhead';
import { dedup } from './dedup';

/** In the order in which they run. */
export const BENCHMARKS: readonly Benchmark[] = [cycleOverhead, dedup];
