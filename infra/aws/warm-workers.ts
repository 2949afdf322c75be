import type { PipelineSpec } from '../../domain/pipeline-spec';

/** The size of one worker of EMR Serverless, as templates spell it. */
export interface WorkerSize {
  readonly Cpu: string;
  readonly Memory: string;
}

/** What a job asks for that says nothing. @see EMR Serverless, "Spark job properties" */
const DEFAULTS = { cores: '4', memory: '14g' } as const;
/** What Spark adds to the memory that a job asks for: a tenth, and no less than 384 MB. */
const OVERHEAD = 0.1;
const LEAST_OVERHEAD_GB = 0.375;
const GB_OF = { k: 1 / 1_048_576, m: 1 / 1_024, g: 1, t: 1_024 } as const;

/**
 * The smallest worker that takes every pipeline's driver or executor: a job passes a warm worker by that is smaller than what it asks for.
 * @throws when a pipeline asks for memory in no form of Spark's
 */
export function warmWorkerSize(pipelines: readonly PipelineSpec[], kind: 'driver' | 'executor'): WorkerSize {
  const largest = (of: (spec: PipelineSpec) => number) => Math.max(...pipelines.map(of));
  const cores = largest(({ transform }) => Number(transform.sparkConf[`spark.${kind}.cores`] ?? DEFAULTS.cores));
  const memory = largest((spec) => gigabytes(spec, `spark.${kind}.memory`));
  return { Cpu: `${cores} vCPU`, Memory: `${Math.ceil(memory + Math.max(memory * OVERHEAD, LEAST_OVERHEAD_GB))} GB` };
}

function gigabytes({ name, transform }: PipelineSpec, setting: string): number {
  const text = transform.sparkConf[setting] ?? DEFAULTS.memory;
  const [, digits, unit = ''] = /^(\d+)([kmgt])b?$/i.exec(text) ?? [];
  const scale = GB_OF[unit.toLowerCase() as keyof typeof GB_OF] as number | undefined;
  if (digits === undefined || scale === undefined) {
    throw new Error(`Pipeline "${name}" says "${text}" for ${setting}, which sizes warm workers: give a number with its unit, such as "4g"`);
  }
  return Number(digits) * scale;
}
