import { MOST_CHUNK_BYTES, type PipelineSpec } from './pipeline-spec';

/** What a shadow relation and its view are called, after the names that they shadow: no declared name may hold it. */
export const SHADOW_SUFFIX = '__dry';

/** `mobile-geolocation.dry`: a declared name has no dot, so that a dry run's records are never taken for a cycle's. */
export function shadowName(pipeline: string): string {
  return `${pipeline}.dry`;
}

/** `dry-run/<pipeline>-<interval end>`. */
export function dryRunWorkflowId(pipeline: string, intervalEnd: string): string {
  return `dry-run/${pipeline}-${intervalEnd}`;
}

/**
 * The pipeline that a dry run loads and promotes: the same declaration under names of its own, so that versions, load, proofs, snapshot
 * wait and swap are the code of a real cycle, and touch nothing of one. Its turn is its own too: a dry run and a cycle never wait
 * for each other. What is read (raw objects, ledger, storage, rulesets, the gate's table) goes by the declaration itself.
 */
export function shadowPipeline(spec: PipelineSpec): PipelineSpec {
  return {
    ...spec,
    name: shadowName(spec.name),
    dataset: shadowName(spec.name),
    quality: { ...spec.quality, relation: shadowOf(spec.quality.relation) },
    relations: spec.relations.map((relation) => ({
      ...relation,
      name: shadowOf(relation.name),
      view: shadowOf(relation.view),
      output: relation.output ?? relation.name,
    })),
  };
}

/**
 * The declaration as a dry run cuts its batch by it: it compares within the worker, whatever the engine, and by chunks of which a
 * worker's disk holds one.
 */
export function comparedByWorker(spec: PipelineSpec): PipelineSpec {
  return { ...spec, dedup: { ...spec.dedup, engine: 'duckdb', chunkBytes: Math.min(spec.dedup.chunkBytes, MOST_CHUNK_BYTES.duckdb) } };
}

/** `positions__dry` of `positions`. */
export function shadowOf(name: string): string {
  return `${name}${SHADOW_SUFFIX}`;
}
