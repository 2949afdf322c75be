import type prices from '../prices.json';

export type PriceName = keyof typeof prices.prices;

/** So much of what has a price, and how that is known. */
export interface Use {
  readonly what: string;
  readonly price: PriceName;
  readonly quantity: number;
  /** `template`: a test counts it there; `limit`: held by a benchmark; `computed`: from unit costs, see docs/scale.md; `assumed`: put your own in. */
  readonly known: 'template' | 'limit' | 'computed' | 'assumed';
}

const HOURS_A_MONTH = 730;

/** What a month costs while no cycle runs and no row, object or log line is kept. A key, endpoints and a NAT gateway are off unless asked for. */
export const IDLE: Readonly<Record<string, readonly Use[]>> = {
  'Meridian (data)': [{ what: 'alarms', price: 'alarmMonth', quantity: 3, known: 'template' }],
  MeridianMonitoring: [{ what: 'dashboard', price: 'dashboardMonth', quantity: 1, known: 'template' }],
  'MeridianRuntime, one small worker': [
    { what: 'vCPU of the worker', price: 'fargateVcpuHour', quantity: 0.5 * HOURS_A_MONTH, known: 'template' },
    { what: 'memory of the worker', price: 'fargateGbHour', quantity: 2 * HOURS_A_MONTH, known: 'template' },
    { what: 'public address of the worker', price: 'publicAddressHour', quantity: HOURS_A_MONTH, known: 'template' },
    { what: 'alarms', price: 'alarmMonth', quantity: 3, known: 'template' },
    { what: 'metric of the backlog', price: 'metricMonth', quantity: 1, known: 'template' },
  ],
  'with Aurora Serverless v2, paused': [
    { what: 'capacity', price: 'auroraAcuHour', quantity: 0, known: 'template' },
    { what: 'its secret', price: 'secretMonth', quantity: 1, known: 'template' },
  ],
  'with a NAT gateway': [{ what: 'hours', price: 'natGatewayHour', quantity: HOURS_A_MONTH, known: 'template' }],
  'with interface endpoints': [{ what: 'hours in two zones', price: 'interfaceEndpointHour', quantity: 10 * 2 * HOURS_A_MONTH, known: 'template' }],
  'with a key of your own': [{ what: 'key', price: 'kmsKeyMonth', quantity: 1, known: 'template' }],
};

/** One night of ten million new records in 64 raw objects, some 1 GB packed. */
export const CYCLE: readonly Use[] = [
  { what: "writes to the dedup ledger, at the benchmark's limit of 20,000 units a million records", price: 'dynamoMillionWrites', quantity: 0.2, known: 'limit' },
  { what: 'reads of the dedup ledger', price: 'dynamoMillionReads', quantity: 0.2, known: 'assumed' },
  { what: 'vCPU of the Spark job: a driver of 2 and 3 executors of 4 for 15 minutes', price: 'emrVcpuHour', quantity: 3.5, known: 'assumed' },
  { what: 'memory of the Spark job: 4 GB and 3 times 16 GB, a tenth over', price: 'emrGbHour', quantity: 14.3, known: 'assumed' },
  { what: 'data quality: two tables, 5 DPU for 3 minutes each', price: 'glueDpuHour', quantity: 0.5, known: 'assumed' },
  { what: 'PUT requests', price: 's3ThousandPuts', quantity: 2, known: 'assumed' },
  { what: 'GET requests', price: 's3ThousandGets', quantity: 5, known: 'assumed' },
  { what: 'raw objects and Parquet, kept for a month', price: 's3GbMonth', quantity: 2, known: 'assumed' },
  { what: 'load and promotion: 4 ACU for 20 minutes', price: 'auroraAcuHour', quantity: 1.33, known: 'assumed' },
  { what: 'I/O of the database', price: 'auroraMillionIos', quantity: 1, known: 'assumed' },
  { what: 'Temporal Cloud', price: 'temporalMillionActions', quantity: 0.0002, known: 'assumed' },
];
