import type { CycleRef } from '../../domain/cycle';
import { toRfc3339 } from '../../domain/data-interval';

/** The columns that name one generation, as `where` and `values` take them. */
export function generationKey(cycle: Pick<CycleRef, 'pipeline' | 'intervalEnd' | 'generation'>) {
  return { pipeline: cycle.pipeline, interval_end: cycle.intervalEnd, generation: cycle.generation };
}

export interface GenerationRow {
  readonly pipeline: string;
  readonly dataset: string;
  readonly interval_start: Date;
  readonly interval_end: Date;
  readonly generation: number;
}

export function toCycleRef(row: GenerationRow): CycleRef {
  return {
    pipeline: row.pipeline,
    dataset: row.dataset,
    intervalStart: toRfc3339(row.interval_start),
    intervalEnd: toRfc3339(row.interval_end),
    generation: row.generation,
  };
}
