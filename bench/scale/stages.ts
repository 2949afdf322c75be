import type { Use } from '../../infra/costs/usage';
import { EMR_VCPUS, PREFIX_GETS, type ServiceLimit } from './service-limits';
import { simulateDedup } from './simulate-dedup';
import { assumed, type Measured, type UnitCost } from './unit-costs';
import type { Workload } from './workloads';

/** One resource that a stage keeps busy for so long. */
export interface Demand {
  readonly resource: string;
  readonly seconds: number;
  /** How to have more of it, or need less. */
  readonly movedBy: string;
}

/** A stage of one night. */
export interface StageEstimate {
  readonly stage: string;
  readonly work: string;
  readonly demands: readonly Demand[];
  /** Demands that have to wait for each other; unset: they run side by side. */
  readonly inTurn?: boolean;
  readonly uses: readonly Use[];
}

export function secondsOf({ demands, inTurn }: StageEstimate): number {
  const seconds = demands.map((each) => each.seconds);
  return inTurn === true ? seconds.reduce((sum, each) => sum + each, 0) : Math.max(...seconds);
}
/** What a stage waits for longest. */
export function bottleneckOf({ demands }: StageEstimate): Demand {
  return demands.reduce((longest, demand) => (demand.seconds > longest.seconds ? demand : longest));
}

/** How a night is made; what differs between them is what the page compares. */
export interface Ways {
  /** `spark` computes on the job's executors and puts no segments; the worker only prepares and commits. */
  readonly dedup: 'duckdb' | 'spark';
  /** `incremental` transforms, checks and copies changed days alone; the database copies the others. */
  readonly refresh: 'full' | 'incremental';
}

/** Work of one unit, measured where a benchmark has it. */
export function unitCosts(measured: Measured) {
  const copyRows = measured.cost('load', /4-streams\/rate$/, 'rows/s by 4 streams', assumed(300_000, 'rows/s by 4 streams', 'not on record'));
  return {
    dedupCpu: measured.cost('dedup', /parquet-.*\/0%-repeats\/cpu$/, 'CPU-s a million records', assumed(4, 'CPU-s a million records', 'not on record')),
    dedupWrites: measured.cost('dedup', /parquet-.*\/0%-repeats\/write-units$/, 'write units a million new records', assumed(20_000, 'write units a million new records', 'the limit')),
    copyRows,
    actions: measured.cost('cycle-overhead', /\/actions$/, 'actions a cycle', assumed(44, 'actions a cycle', 'counted in a recorded history')),
    sparkDedupCpu: measured.cost('spark-dedup', /parquet\/0%-repeats\/cpu$/, 'CPU-s a million records', assumed(12, 'CPU-s a million records', 'three times what DuckDB takes')),
    sparkCpu: measured.cost('whole-cycle', /\/transform-vcpu$/, 'vCPU-s a million rows', assumed(60, 'vCPU-s a million rows', 'not on record')),
    qualityCpu: measured.cost('whole-cycle', /\/check-vcpu$/, 'vCPU-s a million rows', assumed(10, 'vCPU-s a million rows', 'not on record')),
    copiedInside: assumed(2 * copyRows.value, 'rows/s', 'twice COPY, as its CPU in the benchmark `refresh` has it'),
    indexRows: assumed(400_000, 'rows/s', 'GiST and btree of a point table, one process'),
    sparkStart: assumed(90, 's', 'a cold application; pre-initialised capacity takes it away'),
  } satisfies Readonly<Record<string, UnitCost>>;
}
export type UnitCosts = ReturnType<typeof unitCosts>;

/** Every stage of one night that keeps somebody waiting. */
export function estimateNight(load: Workload, ways: Ways, costs: UnitCosts): readonly StageEstimate[] {
  return [discover(load), dedup(load, ways, costs), transform(load, ways, costs), check(load, ways, costs), copy(load, ways, costs), orchestrate(load, costs)];
}

const HOUR = 3_600;
const GB = 1e9;
const RECORDS_PER_CHUNK = 1e6;
/** Executors wait for the last task, and for each other: paid for, not used. */
const EXECUTOR_USE = 0.7;
const GB_PER_VCPU = 4;
const LIST_SECONDS = 0.2;
const LISTINGS_AT_ONCE = 8;
const OBJECTS_PER_LIST = 1_000;
const QUALITY_DPU = 5;
const VCPUS_PER_DPU = 4;

function discover(load: Workload): StageEstimate {
  const objects = objectsOf(load);
  const lists = Math.ceil(objects / OBJECTS_PER_LIST) + 24;
  return {
    stage: 'discover',
    work: `${count(objects)} objects of 8 MiB`,
    demands: [
      { resource: 'listing', seconds: (lists * LIST_SECONDS) / LISTINGS_AT_ONCE, movedBy: 'more prefixes at once' },
      limited(PREFIX_GETS, lists, 'more prefixes: one an hour already'),
    ],
    uses: [{ what: 'LIST requests', price: 's3ThousandPuts', quantity: lists / 1_000, known: 'computed' }],
  };
}

function dedup(load: Workload, ways: Ways, costs: UnitCosts): StageEstimate {
  const spark = ways.dedup === 'spark';
  const cpu = (spark ? costs.sparkDedupCpu : costs.dedupCpu).value;
  const cores = spark ? load.executorVcpus * EXECUTOR_USE : load.workerCores;
  const simulated = simulateDedup({
    records: load.recordsPerNight,
    recordsPerChunk: spark ? load.recordsPerNight : RECORDS_PER_CHUNK,
    cpuSecondsPerMillion: cpu,
    cores,
    writeUnitsPerMillion: spark ? 0 : costs.dedupWrites.value * load.newShare,
    partitionShares: evenly(load.ledgerPartitions),
  });
  return {
    stage: 'dedup',
    work: `${count(load.recordsPerNight)} records, ${spark ? 'no segments' : `${count(simulated.writeUnits)} write units`}`,
    // Chunks compute and write by turns, and commit in manifest order.
    inTurn: true,
    demands: [
      spark
        ? { resource: `${load.executorVcpus} vCPUs of EMR Serverless`, seconds: costs.sparkStart.value + simulated.computingSeconds, movedBy: 'more executors' }
        : { resource: `${load.workerCores} cores of the worker`, seconds: simulated.computingSeconds, movedBy: "`dedup.engine: 'spark'`, or a larger worker" },
      ...(spark
        ? []
        : [{ resource: `write units of the ledger's ${load.ledgerPartitions} partitions`, seconds: simulated.seconds - simulated.computingSeconds, movedBy: 'warm throughput declared for the table; its quota' }]),
    ],
    uses: [
      { what: 'write units', price: 'dynamoMillionWrites', quantity: simulated.writeUnits / 1e6, known: 'computed' },
      { what: 'GET requests', price: 's3ThousandGets', quantity: objectsOf(load) / 1_000, known: 'computed' },
      ...(spark ? vcpuUses('dedup job', (load.recordsPerNight / 1e6) * cpu) : []),
    ],
  };
}

function transform(load: Workload, ways: Ways, costs: UnitCosts): StageEstimate {
  const rows = builtRows(load, ways);
  const cpuSeconds = (rows / 1e6) * costs.sparkCpu.value;
  const vcpus = load.executorVcpus;
  return {
    stage: 'transform',
    work: `${count(rows)} rows`,
    demands: [
      {
        resource: `${vcpus} vCPUs of EMR Serverless`,
        seconds: costs.sparkStart.value + cpuSeconds / (vcpus * EXECUTOR_USE),
        movedBy: `${ways.refresh === 'full' ? 'incremental refresh; ' : ''}more executors (an account starts with ${EMR_VCPUS.vCpus} vCPUs, ask for more)`,
      },
    ],
    uses: vcpuUses('Spark job', cpuSeconds),
  };
}

function check(load: Workload, ways: Ways, costs: UnitCosts): StageEstimate {
  const rows = builtRows(load, { ...ways, refresh: 'full' }) + newRows(load);
  const seconds = 60 + ((rows / 1e6) * costs.qualityCpu.value) / (QUALITY_DPU * VCPUS_PER_DPU);
  return {
    stage: 'check',
    work: `${count(rows)} rows, added and served`,
    demands: [{ resource: `${QUALITY_DPU} DPU of Glue`, seconds, movedBy: 'more DPU; rules over `added` alone' }],
    uses: [{ what: 'data quality', price: 'glueDpuHour', quantity: (QUALITY_DPU * seconds) / HOUR, known: 'computed' }],
  };
}

function copy(load: Workload, ways: Ways, costs: UnitCosts): StageEstimate {
  const served = builtRows(load, { ...ways, refresh: 'full' });
  const copied = builtRows(load, ways);
  const seconds = copied / costs.copyRows.value + (served - copied) / costs.copiedInside.value + served / costs.indexRows.value;
  return {
    stage: 'load',
    work: `${count(copied)} rows by COPY, ${count(served - copied)} inside the database`,
    demands: [{ resource: 'PostgreSQL: one table, its WAL and its indexes', seconds, movedBy: 'fewer days served, or aggregates; a larger instance; more COPY streams until the WAL is full' }],
    uses: [
      { what: 'database at 8 ACU', price: 'auroraAcuHour', quantity: (8 * seconds) / HOUR, known: 'computed' },
      { what: 'GET requests', price: 's3ThousandGets', quantity: copied / 1e6, known: 'computed' },
    ],
  };
}

function orchestrate(load: Workload, costs: UnitCosts): StageEstimate {
  const slices = Math.min(100, Math.ceil(load.recordsPerNight / RECORDS_PER_CHUNK / 8));
  const actions = costs.actions.value + slices;
  return {
    stage: 'orchestration',
    work: `${count(actions)} Temporal actions`,
    demands: [{ resource: 'round trips to Temporal', seconds: actions * 0.05, movedBy: 'nothing needs to: larger nights have no more of it' }],
    uses: [{ what: 'Temporal Cloud', price: 'temporalMillionActions', quantity: actions / 1e6, known: 'computed' }],
  };
}

function vcpuUses(what: string, cpuSeconds: number): readonly Use[] {
  const hours = cpuSeconds / EXECUTOR_USE / HOUR;
  return [
    { what: `vCPU of the ${what}`, price: 'emrVcpuHour', quantity: hours, known: 'computed' },
    { what: `memory of the ${what}`, price: 'emrGbHour', quantity: hours * GB_PER_VCPU, known: 'computed' },
  ];
}

function limited({ what, perSecond }: ServiceLimit, quantity: number, movedBy: string): Demand {
  return { resource: what, seconds: quantity / perSecond, movedBy };
}

export const evenly = (partitions: number): readonly number[] => Array.from({ length: partitions }, () => 1 / partitions);

const newRows = (load: Workload) => load.recordsPerNight * load.newShare;
const objectsOf = (load: Workload) => Math.ceil((load.recordsPerNight * load.rawBytesPerRecord) / load.rawBytesPerObject);
const builtRows = (load: Workload, { refresh }: Ways) => newRows(load) * (refresh === 'full' ? load.servedDays : load.changedDays);

/** Three digits: an estimate has no more. */
export function count(value: number): string {
  const [divisor, name] = value >= 1e9 ? [1e9, ' billion'] : value >= 1e6 ? [1e6, ' million'] : [1, ''];
  return `${Number((value / divisor).toPrecision(3)).toLocaleString('en-US')}${name}`;
}

export const storedGb = (load: Workload) => (load.recordsPerNight * load.nights * load.rawBytesPerRecord) / GB;
