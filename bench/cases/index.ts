import type { Benchmark } from '../benchmark';
import { cycleOverhead } from './cycle-overhead';
import { dedup } from './dedup';
import { load } from './load';

/** In the order in which they run. */
export const BENCHMARKS: readonly Benchmark[] = [cycleOverhead, dedup, load];
