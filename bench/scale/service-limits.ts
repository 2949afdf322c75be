/** A limit of a service as its documentation gives it, before anybody asks for more. */
export interface ServiceLimit {
  readonly what: string;
  readonly perSecond: number;
  readonly source: string;
}

const DYNAMODB = 'https://docs.aws.amazon.com/amazondynamodb/latest/developerguide';

/** Of one partition, so of one partition key until DynamoDB splits it for heat. */
export const PARTITION_WRITE_UNITS: ServiceLimit = {
  what: "write units of a DynamoDB partition",
  perSecond: 1_000,
  source: `${DYNAMODB}/bp-partition-key-design.html`,
};
/** Unused capacity of so many seconds may be spent at once ("burst capacity"). */
export const PARTITION_BURST_SECONDS = 300;
export const TABLE_WRITE_UNITS: ServiceLimit = {
  what: 'write units of an on-demand table, by default',
  perSecond: 40_000,
  source: `${DYNAMODB}/ServiceQuotas.html`,
};
/** An on-demand table that is new takes 4,000 write units a second: on-demand-capacity-mode.html, "Initial throughput". */
export const NEW_TABLE_PARTITIONS = 4;
export const PREFIX_GETS: ServiceLimit = {
  what: 'GET and LIST requests of an S3 prefix',
  perSecond: 5_500,
  source: 'https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html',
};
export const TEMPORAL_ACTIONS: ServiceLimit = {
  what: 'actions of a Temporal Cloud namespace, by default',
  perSecond: 500,
  source: 'https://docs.temporal.io/cloud/limits',
};
/** vCPUs that run at once in an account, by default. */
export const EMR_VCPUS = { vCpus: 16, source: 'https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/endpoints-quotas.html' } as const;
