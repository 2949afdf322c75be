import type { Benchmark } from '../benchmark';
import { cycleOverhead } from './cycle-overhead';
import { dedup } from './dedup';
import { discovery } from './discovery';
import { load } from './load';
import { microBatch } from './micro-batch';
import { promotion } from './promotion';
import { refresh } from './refresh';
import { serverSettings } from './server-settings';
import { spark } from './spark';
import { sparkDedup } from './spark-dedup';
import { wholeCycle } from './whole-cycle';

/** In the order in which they run. */
export const BENCHMARKS: readonly Benchmark[] = [cycleOverhead, serverSettings, discovery, dedup, microBatch, promotion, load, spark, sparkDedup, refresh, wholeCycle];
