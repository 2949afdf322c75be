import type { Benchmark } from '../benchmark';
import { cycleOverhead } from './cycle-overhead';
import { dedup } from './dedup';
import { discovery } from './discovery';
import { load } from './load';
import { promotion } from './promotion';
import { refresh } from './refresh';
import { serverSettings } from './server-settings';

/** In the order in which they run. */
export const BENCHMARKS: readonly Benchmark[] = [cycleOverhead, serverSettings, discovery, dedup, promotion, load, refresh];
