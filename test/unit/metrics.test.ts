import type { AnnounceOutcomeInput } from '../../domain/announcement';
import { metricsOf } from '../../domain/metrics';
import { sparkUsageSentence } from '../../domain/spark-usage';

const cycle = { pipeline: 'ais', dataset: 'positions', intervalStart: '2018-08-01T00:00:00Z', intervalEnd: '2018-08-02T00:00:00Z', generation: 1 };
const counts = { RecordsRead: 100, RecordsStored: 90 };
const spark = { vCpuHours: 0.5, memoryGbHours: 2, storageGbHours: 1 };
const told = (input: Partial<AnnounceOutcomeInput> & Pick<AnnounceOutcomeInput, 'outcome'>) =>
  metricsOf({ cycle, counts, ...input }).map(({ name, value, unit, dimensions }) => `${name} ${value} ${unit} ${Object.values(dimensions).join('/')}`);

test('S4.20 a cycle that ended is counted with its records, the time of each stage and what its job is billed by', () => {
  expect(told({ outcome: 'promoted', seconds: { dedup: 1.5, transform: 60 }, spark })).toEqual([
    'CyclePromoted 1 Count ais',
    'GateFailed 0 Count ais',
    'DataUpToDate 1 Count ais',
    'RecordsRead 100 Count ais',
    'RecordsStored 90 Count ais',
    'StageSeconds 1.5 Seconds ais/dedup',
    'StageSeconds 60 Seconds ais/transform',
    'SparkVcpuHours 0.5 None ais',
    'SparkMemoryGbHours 2 None ais',
    'SparkStorageGbHours 1 None ais',
  ]);
});

test('S2.18 a gate that failed sets its alarm off, and a reminder of it or a rollback does not', () => {
  expect(told({ outcome: 'held' })).toEqual(['CycleHeld 1 Count ais', 'GateFailed 1 Count ais']);
  expect(told({ outcome: 'reminder', reminder: 1 })).toEqual(['CycleReminder 1 Count ais']);
  expect(told({ outcome: 'rejected' })).toContain('GateFailed 1 Count ais');
  expect(told({ outcome: 'rolled-back', counts: { Rows_positions: 3 } })).toEqual(['CycleRolledBack 1 Count ais', 'Rows_positions 3 Count ais']);
});

test('S4.20 records of a cycle that waits for a person are counted with its end alone, so that sums are right', () => {
  const recordsRead = (['held', 'reminder', 'promoted'] as const).flatMap((outcome) => told({ outcome })).filter((each) => each.startsWith('RecordsRead'));

  expect(recordsRead).toHaveLength(1);
});

test('S4.19 what is served is up to date after a cycle that was promoted or had nothing new, and after no other', () => {
  const outcomes = (['promoted', 'empty', 'rejected', 'blocked', 'failed', 'cancelled', 'held'] as const).filter((outcome) => told({ outcome }).includes('DataUpToDate 1 Count ais'));

  expect(outcomes).toEqual(['promoted', 'empty']);
});

test('S0.4 what a job is billed by is said in three digits', () => {
  expect(sparkUsageSentence({ vCpuHours: 0.123456, memoryGbHours: 2, storageGbHours: 1 })).toBe('0.123 vCPU-hours, 2 GB-hours');
});
