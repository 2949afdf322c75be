import { type AnnounceOutcomeInput, outcomeMetric } from './announcement';
import { CycleOutcome } from './cycle';

/** Where the worker's metrics are; alarms, the dashboard and the worker's permission name it too. */
export const METRIC_NAMESPACE = 'Meridian';

/** Every metric that alarms and the dashboard look at, by what it counts. All have the dimension `Pipeline`. */
export const METRICS = {
  promoted: outcomeMetric(CycleOutcome.Promoted),
  empty: outcomeMetric(CycleOutcome.Empty),
  rejected: outcomeMetric(CycleOutcome.Rejected),
  blocked: outcomeMetric(CycleOutcome.Blocked),
  failed: outcomeMetric(CycleOutcome.Failed),
  cancelled: outcomeMetric(CycleOutcome.Cancelled),
  held: outcomeMetric('held'),
  /** 1 of a cycle after which what is served is all that had arrived: one that was promoted, or had nothing new. */
  upToDate: 'DataUpToDate',
  /** 1 where a gate failed or waits for a person, else 0. */
  gateFailed: 'GateFailed',
  recordsRead: 'RecordsRead',
  recordsStored: 'RecordsStored',
  recordsDuplicate: 'RecordsDuplicate',
  recordsQuarantined: 'RecordsQuarantined',
  /** With the dimension `Stage` besides. */
  stageSeconds: 'StageSeconds',
  sparkVcpuHours: 'SparkVcpuHours',
  sparkMemoryGbHours: 'SparkMemoryGbHours',
  sparkStorageGbHours: 'SparkStorageGbHours',
} as const;

/** One number of one outcome. */
export interface OutcomeMetric {
  readonly name: string;
  readonly value: number;
  readonly unit: 'Count' | 'Seconds' | 'None';
  readonly dimensions: Readonly<Record<string, string>>;
}

/** What an outcome is counted by (S4.20). A cycle's own numbers are told once, with its end: not while it waits for a person. */
export function metricsOf(input: AnnounceOutcomeInput): readonly OutcomeMetric[] {
  const { cycle, outcome, counts, seconds = {}, spark } = input;
  const Pipeline = cycle.pipeline;
  const metric = (name: string, value: number, unit: OutcomeMetric['unit'] = 'Count', more = {}) => ({ name, value, unit, dimensions: { Pipeline, ...more } });
  const waits = outcome === 'held' || outcome === 'reminder';
  // A reminder would set the alarm off again, and a rollback says nothing of a gate.
  const judged = outcome !== 'reminder' && outcome !== 'rolled-back';
  return [
    metric(outcomeMetric(outcome), 1),
    ...(judged ? [metric(METRICS.gateFailed, outcome === CycleOutcome.Rejected || outcome === 'held' ? 1 : 0)] : []),
    ...(outcome === CycleOutcome.Promoted || outcome === CycleOutcome.Empty ? [metric(METRICS.upToDate, 1)] : []),
    ...(waits ? [] : Object.entries(counts).map(([name, count]) => metric(name, count))),
    ...Object.entries(seconds).map(([Stage, took]) => metric(METRICS.stageSeconds, took, 'Seconds', { Stage })),
    ...(spark === undefined
      ? []
      : [
          metric(METRICS.sparkVcpuHours, spark.vCpuHours, 'None'),
          metric(METRICS.sparkMemoryGbHours, spark.memoryGbHours, 'None'),
          metric(METRICS.sparkStorageGbHours, spark.storageGbHours, 'None'),
        ]),
  ];
}
