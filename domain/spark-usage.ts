/** What EMR Serverless bills a job run by (S0.4). */
export interface SparkUsage {
  readonly vCpuHours: number;
  readonly memoryGbHours: number;
  readonly storageGbHours: number;
}

export const NO_SPARK: SparkUsage = { vCpuHours: 0, memoryGbHours: 0, storageGbHours: 0 };

/** Of two runs. */
export function addSparkUsage(a: SparkUsage, b: SparkUsage): SparkUsage {
  return {
    vCpuHours: a.vCpuHours + b.vCpuHours,
    memoryGbHours: a.memoryGbHours + b.memoryGbHours,
    storageGbHours: a.storageGbHours + b.storageGbHours,
  };
}

/** `0.12 vCPU-hours, 0.48 GB-hours`: for a stage's sentence. */
export function sparkUsageSentence({ vCpuHours, memoryGbHours }: SparkUsage): string {
  return `${hours(vCpuHours)} vCPU-hours, ${hours(memoryGbHours)} GB-hours`;
}

function hours(amount: number): string {
  return String(Math.round(amount * 1_000) / 1_000);
}
