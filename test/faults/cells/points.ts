import type { Stage } from '../../../domain/cycle';
import type { AwsCall } from '../engines/aws-proxy';

type Bucket = 'RAW' | 'STORAGE' | 'REFINED' | 'QUARANTINE' | 'ARTIFACTS';

/** A call to AWS that a night makes. */
export interface AwsPoint {
  readonly kind: 'aws';
  readonly id: string;
  readonly stage: Stage;
  /** So many a clean second night makes at least: a scenario acts on one of them, by its seed. */
  readonly calls: number;
  readonly matches: (call: AwsCall, env: Readonly<Record<string, string>>) => boolean;
}

/** A statement that a night sends to PostgreSQL. */
export interface SqlPoint {
  readonly kind: 'sql';
  readonly id: string;
  readonly stage: Stage;
  readonly calls: number;
  readonly text: string;
  readonly since?: string;
}
export type Point = AwsPoint | SqlPoint;

const s3 = (id: string, stage: Stage, calls: number, operation: string, bucket: Bucket, key = /./): AwsPoint => ({
  kind: 'aws',
  id,
  stage,
  calls,
  matches: (call, env) =>
    call.service === 's3' && call.operation === operation && call.path.startsWith(`/${env[`MERIDIAN_${bucket}_BUCKET`]}`) && key.test(call.path),
});
const dynamodb = (id: string, stage: Stage, calls: number, operation: string, table: 'LEDGER' | 'OBJECTS', body = /./s): AwsPoint => ({
  kind: 'aws',
  id,
  stage,
  calls,
  matches: (call, env) => {
    const text = call.body.toString('latin1');
    return call.service === 'dynamodb' && call.operation === operation && text.includes(`"${env[`MERIDIAN_${table}_TABLE`]}"`) && body.test(text);
  },
});
const api = (id: string, stage: Stage, calls: number, service: string, operation: string, body = /^/): AwsPoint => ({
  kind: 'aws',
  id,
  stage,
  calls,
  matches: (call) => call.service === service && call.operation === operation && body.test(call.body.toString('latin1')),
});
const statement = (id: string, stage: Stage, calls: number, text: string, since?: string): SqlPoint => ({
  kind: 'sql',
  id,
  stage,
  calls,
  text,
  ...(since === undefined ? {} : { since }),
});

/** Where a night, or what somebody does with it, may be hit, in its order. Each has a fault of its own kind that only it can show. */
export const POINTS = {
  openCycle: statement('open the cycle', 'resolve', 1, 'insert into "meridian"."cycle"'),
  takeTurn: statement('take the turn', 'turn', 1, 'update "meridian"."turn"'),
  raiseFence: dynamodb('raise the fence', 'turn', 1, 'UpdateItem', 'LEDGER'),
  listRaw: s3('list the raw bucket', 'discover', 1, 'ListObjectVersions', 'RAW'),
  askObjects: dynamodb('ask what is loaded', 'discover', 1, 'Query', 'OBJECTS'),
  putManifest: s3('write the batch manifest', 'discover', 1, 'PutObject', 'ARTIFACTS', /manifest/),
  getRaw: s3('read a raw object', 'dedup', 4, 'GetObject', 'RAW'),
  readLog: dynamodb('read the commit log', 'dedup', 4, 'Query', 'LEDGER'),
  putSegment: dynamodb('write a segment', 'dedup', 4, 'PutItem', 'LEDGER'),
  putStorage: s3('write a storage file', 'dedup', 4, 'PutObject', 'STORAGE'),
  putQuarantine: s3('write a quarantine file', 'dedup', 2, 'PutObject', 'QUARANTINE'),
  commitChunk: dynamodb('commit a chunk', 'dedup', 4, 'TransactWriteItems', 'LEDGER'),
  /** Of a pipeline whose chunks a Spark run deduplicates. */
  putDedupInput: s3('write the dedup input', 'dedup', 1, 'PutObject', 'ARTIFACTS', /\/dedup\/.*input/),
  startDedup: api('start the dedup run', 'dedup', 1, 'emr-serverless', 'StartJobRun', /dedup\.py/),
  pollDedup: api('ask for the dedup run', 'dedup', 1, 'emr-serverless', 'GetJobRun'),
  readDedup: s3('read the dedup manifest', 'dedup', 1, 'GetObject', 'REFINED', /_dedup\/.*_manifest\.json/),
  commitRun: dynamodb('commit a dedup run', 'dedup', 1, 'TransactWriteItems', 'LEDGER'),
  putInput: s3('write the job input', 'transform', 1, 'PutObject', 'ARTIFACTS', /transform|input/),
  recordJob: statement('record the job token', 'transform', 1, 'insert into "meridian"."job"'),
  startJob: api('start the job run', 'transform', 1, 'emr-serverless', 'StartJobRun'),
  pollJob: api('ask for the job run', 'transform', 1, 'emr-serverless', 'GetJobRun'),
  readOutput: s3('read the job manifest', 'transform', 1, 'GetObject', 'REFINED', /_manifest\.json/),
  gatePartition: api('make the gate a partition', 'check', 2, 'glue', 'BatchCreatePartition', /_candidate"/),
  startQuality: api('start the quality run', 'check', 2, 'glue', 'StartDataQualityRulesetEvaluationRun'),
  pollQuality: api('ask for the quality run', 'check', 2, 'glue', 'GetDataQualityRulesetEvaluationRun'),
  readQuality: api('read the quality result', 'check', 2, 'glue', 'GetDataQualityResult'),
  createCandidate: statement('create the candidate', 'load', 2, 'create table'),
  getPart: s3('read a COPY part', 'load', 3, 'GetObject', 'REFINED', /\.bin/),
  claimPart: statement('claim a part', 'load', 3, 'insert into "meridian"."load_part"'),
  copyPart: statement('COPY a part', 'load', 3, 'from stdin (format binary)'),
  commitPart: statement('commit a part', 'load', 3, 'commit', 'insert into "meridian"."load_part"'),
  /** Of a pipeline that is refreshed by day: the days that are the same, out of the served version. */
  copyDays: statement('copy unchanged days', 'load', 2, 'insert into "public"'),
  commitDays: statement('commit unchanged days', 'load', 2, 'commit', 'insert into "public"'),
  indexCandidate: statement('index the candidate', 'load', 1, 'using'),
  readSnapshots: statement('look for older snapshots', 'promote', 1, 'backend_xmin'),
  vacuum: statement('vacuum the candidate', 'promote', 2, 'vacuum (freeze'),
  swap: statement('repoint the views', 'promote', 1, 'meridian.promote('),
  rollBack: statement('repoint the views back', 'promote', 1, 'meridian.rollback('),
  markObjects: dynamodb('mark the objects', 'publish', 1, 'BatchWriteItem', 'OBJECTS'),
  publishPartition: api('publish a partition', 'publish', 1, 'glue', 'BatchCreatePartition', /"TableName":"(?!\w*_candidate")/),
  closeCycle: statement('close the cycle', 'publish', 1, '"closed_at" = '),
  freeTurn: statement('free the turn', 'publish', 1, 'set "holder_workflow_id" = '),
  claimNotification: statement('claim the notification', 'publish', 1, 'insert into "meridian"."notification"'),
  confirmNotification: statement('confirm the notification', 'publish', 1, '"confirmed_at" = '),
  putMetrics: api('put the metrics', 'publish', 1, 'monitoring', 'PutMetricData'),
  notify: api('notify', 'publish', 1, 'sns', 'Publish'),
} as const satisfies Readonly<Record<string, Point>>;
export type PointName = keyof typeof POINTS;
