import { money, row, sum } from '../../infra/costs/tables';
import { stackedBarsSvg } from './stacked-bars';
import { simulateDedup } from './simulate-dedup';
import { bottleneckOf, estimateNight, evenly, secondsOf, type StageEstimate, storedGb, type UnitCosts, unitCosts, type Ways } from './stages';
import { Measured } from './unit-costs';
import { HUNDRED_MILLION_A_DAY, TEN_TERABYTES, type Workload } from './workloads';

const ONE_WORKER: Ways = { dedup: 'duckdb', refresh: 'full' };
const SPREAD_OUT: Ways = { dedup: 'spark', refresh: 'incremental' };

interface Scenario {
  readonly load: Workload;
  readonly how: string;
  readonly ways: Ways;
}

const SCENARIOS: readonly Scenario[] = [
  { load: HUNDRED_MILLION_A_DAY, how: 'on one worker, everything rebuilt', ways: ONE_WORKER },
  { load: HUNDRED_MILLION_A_DAY, how: 'dedup by Spark, incremental refresh', ways: SPREAD_OUT },
  { load: TEN_TERABYTES, how: 'dedup by Spark, incremental refresh', ways: SPREAD_OUT },
];

/** Where the time of each scenario's night goes, for docs/scale.svg. */
export function scalePicture(costs: UnitCosts = unitCosts(new Measured())): string {
  return stackedBarsSvg(
    'Where a night goes, in hours',
    SCENARIOS.map(({ load, how, ways }) => ({
      title: `${load.title}: ${how}`,
      parts: estimateNight(load, ways, costs).map((stage) => ({ name: stage.stage, value: secondsOf(stage) / 3_600 })),
    })),
  );
}

/** The generated part of docs/scale.md: from recorded benchmarks, documented limits, prices, and nothing else. */
export function scaleTables(costs: UnitCosts = unitCosts(new Measured())): string {
  return [
    ...SCENARIOS.flatMap((scenario) => night(scenario, costs)),
    '### The ledger under a night of 100 million records, simulated',
    '',
    ...ledger(costs),
    '',
    '### Unit costs',
    '',
    row('what', 'value', 'how it is known'),
    '|---|---|---|',
    ...Object.entries(costs).map(([name, { value, unit, known }]) => row(`\`${name}\``, `${value.toLocaleString('en-US')} ${unit}`, known)),
    '',
  ].join('\n');
}

function night({ load, how, ways }: Scenario, costs: UnitCosts): readonly string[] {
  const stages = estimateNight(load, ways, costs);
  const uses = stages.flatMap((stage) => stage.uses);
  const seconds = stages.reduce((total, stage) => total + secondsOf(stage), 0);
  const widest = stages.reduce((longest, stage) => (secondsOf(stage) > secondsOf(longest) ? stage : longest));
  const perNight = sum(uses) ?? 0;
  const stored = sum([{ what: 'raw objects', price: 's3GbMonth', quantity: storedGb(load), known: 'computed' }]);
  const nights =
    load.nights === 1
      ? ''
      : ` ${load.nights} nights one after another: ${duration(seconds * load.nights)}, ${money(perNight * load.nights)} USD; their ${storedGb(load).toLocaleString('en-US')} GB of raw objects at rest: ${money(stored)} USD a month.`;
  return [
    `### ${load.title}: ${how}`,
    '',
    row('stage', 'work', 'time', 'USD', 'what it waits for', 'what moves it'),
    '|---|---|---|---|---|---|',
    ...stages.map(stageRow),
    '',
    `A night takes ${duration(seconds)} and costs ${money(perNight)} USD. Its bottleneck is the stage \`${widest.stage}\`: ${bottleneckOf(widest).resource}.${nights}`,
    '',
  ];
}

function stageRow(stage: StageEstimate): string {
  const { resource, movedBy } = bottleneckOf(stage);
  return row(stage.stage, stage.work, duration(secondsOf(stage)), money(sum(stage.uses)), resource, movedBy);
}

function ledger(costs: UnitCosts): readonly string[] {
  const load = HUNDRED_MILLION_A_DAY;
  // Until decision 0034 the segments of a date lay in one partition: nine in ten records of a night are of one date.
  const layouts = [['a partition a date', [0.9, 0.07, 0.02, 0.01]], ...[1, 4, 8, 40].map((partitions) => [`over ${partitions}`, evenly(partitions)] as const)] as const;
  const rows = layouts.map(([layout, partitionShares]) => {
    const { seconds, computingSeconds, unitsPerSecond } = simulateDedup({
      records: load.recordsPerNight,
      recordsPerChunk: 1e6,
      cpuSecondsPerMillion: costs.dedupCpu.value,
      cores: load.workerCores,
      writeUnitsPerMillion: costs.dedupWrites.value * load.newShare,
      partitionShares,
    });
    return row(layout, duration(seconds), duration(computingSeconds), Math.round(unitsPerSecond).toLocaleString('en-US'));
  });
  return [row('segments lie', 'dedup', 'of it computing', 'units/s of the fullest partition'), '|---|---|---|---|', ...rows];
}

function duration(seconds: number): string {
  if (seconds < 90) return `${Number(seconds.toPrecision(2))} s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3_600) return `${(seconds / 3_600).toFixed(1)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}
