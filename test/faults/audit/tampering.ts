import { DeleteItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { AbortMultipartUploadCommand, CreateMultipartUploadCommand, DeleteObjectCommand } from '@aws-sdk/client-s3';
import { bytesOf, keysBelow, type Planted, put, updateItem, withOtherHistories, withoutItem, withoutObject, withoutSegment } from './planting';
import type { AuditSubject, Invariant } from './subject';

/** One planted fault in a subject that is sound without it. */
export interface Tampering {
  readonly what: string;
  /** All that must be named, and nothing else. */
  readonly names: readonly Invariant[];
  readonly says: RegExp;
  /** Plants it. @returns the subject to look at, and what takes the fault back */
  readonly plant: (subject: AuditSubject) => Promise<Planted>;
}

/** Of the files that stand behind the served rows. */
const STORAGE: readonly Tampering[] = [
  {
    what: 'a live Parquet file deleted',
    names: ['I1', 'I2'],
    says: /record\(s\) lost from storage/,
    plant: ({ access, spec }) => withoutObject(access, access.names.buckets.storage, `${spec.dataset}/`),
  },
  {
    what: 'a live Parquet file that is another one',
    names: ['I1', 'I2'],
    says: /key\(s\) stored more than once/,
    plant: async ({ access, spec }) => {
      const bucket = access.names.buckets.storage;
      const [first = '', second = ''] = await keysBelow(access, bucket, `${spec.dataset}/`);
      const [own, other] = [await bytesOf(access, bucket, first), await bytesOf(access, bucket, second)];
      await put(access, bucket, first, other);
      return { undo: () => put(access, bucket, first, own) };
    },
  },
  {
    what: 'a quarantine file of a promoted night deleted',
    names: ['I1'],
    says: /bad line\(s\) lost from quarantine/,
    plant: ({ access, spec }) => withoutObject(access, access.names.buckets.quarantine, `${spec.name}/20240102T000000Z/`),
  },
  {
    what: 'a quarantine file of a rejected night deleted',
    names: ['I1'],
    says: /was rejected: \d+ of its \d+ bad lines/,
    plant: ({ access, spec }) => withoutObject(access, access.names.buckets.quarantine, `${spec.name}/20240103T000000Z/`),
  },
  {
    what: 'a storage file that nobody knows of',
    names: ['I7'],
    says: /1 storage file\(s\) that nobody knows of/,
    plant: async ({ access, spec }) => {
      const key = `${spec.dataset}/event_date=2024-01-01/00000000deadbeef-0.parquet`;
      await put(access, access.names.buckets.storage, key, Buffer.from('PAR1'));
      return { undo: () => access.s3.send(new DeleteObjectCommand({ Bucket: access.names.buckets.storage, Key: key })) };
    },
  },
  {
    what: 'an open multipart upload',
    names: ['I7'],
    says: /1 open multipart upload/,
    plant: async ({ access, spec }) => {
      const place = { Bucket: access.names.buckets.refined, Key: `${spec.name}/left-open` };
      const { UploadId } = await access.s3.send(new CreateMultipartUploadCommand(place));
      return { undo: () => access.s3.send(new AbortMultipartUploadCommand({ ...place, UploadId })) };
    },
  },
];

/** Of the ledger in DynamoDB. */
const LEDGER: readonly Tampering[] = [
  {
    what: "a live chunk that its date's log does not mention",
    names: ['I2'],
    says: /does not count it: its records could be stored again/,
    plant: (subject) => withoutItem(subject.access, `${subject.spec.dataset}#2024-01-01`, 'log#00000001'),
  },
  {
    what: 'a live chunk without its segment',
    names: ['I2'],
    says: /its segments hold 0/,
    plant: ({ access, spec }) => withoutSegment(access, `${spec.dataset}#2024-01-01`),
  },
  {
    what: "a rejected night's chunk alive again",
    names: ['I1', 'I2', 'I4', 'I7'],
    says: /live chunk\(s\) of a generation that was given up/,
    plant: ({ access, spec }) => updateItem(access, `${spec.dataset}#chunks`, '20240103T000000Z#', 'state', 'committed'),
  },
  {
    what: 'a chunk of a generation that nobody opened',
    names: ['I1'],
    says: /meridian.cycle has no such generation/,
    plant: ({ access, spec }) => updateItem(access, `${spec.dataset}#chunks`, '20240102T000000Z#', 'generation', 7),
  },
  {
    what: 'objects of a promoted night that are not marked',
    names: ['I1'],
    says: /1 object\(s\) of settled cycles that are not marked loaded/,
    plant: ({ access, spec, nights }) => {
      const [, hour = ''] = /\/(\d{2})\/gateway/.exec(nights[0]?.uploads[0]?.key ?? '') ?? [];
      return withoutItem(access, `${spec.dataset}#2024-01-01T${hour}:00:00Z`, '', access.names.objectsTable);
    },
  },
  {
    what: 'an attempt announced and forgotten',
    names: ['I7'],
    says: /1 announced attempt\(s\) neither committed nor voided/,
    plant: async ({ access, spec }) => {
      const Key = { pk: { S: `${spec.dataset}#attempts` }, sk: { S: `20240102T000000Z#${spec.name}#g0001#000900#00000000deadbeef` } };
      const TableName = access.names.ledgerTable;
      await access.dynamodb.send(new PutItemCommand({ TableName, Item: { ...Key, chunk: { N: '900' }, dates: { SS: ['-'] } } }));
      return { undo: () => access.dynamodb.send(new DeleteItemCommand({ TableName, Key })) };
    },
  },
];

/** Of PostgreSQL. */
const DATABASE: readonly Tampering[] = [
  sqlTampering('a row twice in the served table', ['I2', 'I3'], /1 key\(s\) served more than once/, ({ points, table }) => [
    `drop index ${table}_key; insert into ${table} select * from ${points} limit 1`,
    `delete from ${table} where ctid in (select max(ctid) from ${table} group by event_time, longitude, latitude having count(*) > 1); create unique index ${table}_key on ${table} (event_time, longitude, latitude)`,
  ]),
  sqlTampering('a served row moved', ['I1'], /record\(s\) lost from the view/, ({ table }) => [
    `update ${table} set event_time = event_time + interval '366 days' where ctid = (select min(ctid) from ${table})`,
    `update ${table} set event_time = event_time - interval '366 days' where event_time > '2024-06-01'`,
  ]),
  sqlTampering('a view that serves an older version', ['I1', 'I3', 'I6'], /serves 2024-01-02T00:00:00Z, but 2024-01-04T00:00:00Z was promoted last/, ({ points, table, older }) => [
    `create or replace view ${points} as select * from ${older}`,
    `create or replace view ${points} as select * from ${table}`,
  ]),
  sqlTampering('an orphan table', ['I7'], /1 orphan table\(s\) of .*_points: .*_v99 \(on no record\)/, ({ relation }) => [
    `create table ${relation}_v99 (night text)`,
    `drop table ${relation}_v99`,
  ]),
  sqlTampering('a held turn', ['I7'], /the turn of .* is held by etl\/somebody/, ({ dataset }) => [
    `update meridian.turn set holder_workflow_id = 'etl/somebody', holder_run_id = 'r' where dataset = '${dataset}'`,
    `update meridian.turn set holder_workflow_id = null, holder_run_id = null where dataset = '${dataset}'`,
  ]),
  sqlTampering('a cycle that was never closed', ['I7', 'I8'], /1 open cycle record/, ({ pipeline }) => [
    `insert into meridian.cycle (pipeline, interval_end, generation, dataset, interval_start, workflow_id, run_id, spec)
     select pipeline, interval_end, 2, dataset, interval_start, workflow_id, run_id || '-2', spec from meridian.cycle
      where pipeline = '${pipeline}' and interval_end = '2024-01-02'`,
    `delete from meridian.cycle where pipeline = '${pipeline}' and generation = 2`,
  ]),
  sqlTampering("a cycle's own counts changed", ['I1'], /read is not stored \+ duplicates \+ quarantined/, ({ pipeline }) => [
    `update meridian.cycle set counts = jsonb_set(counts, '{records,read}', to_jsonb((counts #>> '{records,read}')::integer + 1))
      where pipeline = '${pipeline}' and interval_end = '2024-01-02'`,
    `update meridian.cycle set counts = jsonb_set(counts, '{records,read}', to_jsonb((counts #>> '{records,read}')::integer - 1))
      where pipeline = '${pipeline}' and interval_end = '2024-01-02'`,
  ]),
  sqlTampering('a promotion whose gate did not pass', ['I3', 'I4', 'I6'], /did not pass its gate: .*RowCount > 0 is FAIL/, ({ pipeline }) => [
    `insert into meridian.promotion (pipeline, sequence, kind, interval_end, generation, relations, epoch, promoted_by, promoted_at, metadata)
     select pipeline, 3, 'cycle', '2024-01-03', 1, relations, epoch, 'nobody', clock_timestamp(), '{}' from meridian.promotion
      where pipeline = '${pipeline}' and sequence = 2`,
    `delete from meridian.promotion where pipeline = '${pipeline}' and sequence = 3`,
  ]),
  sqlTampering('a promotion without its record', ['I3', 'I4', 'I6'], /is promoted, but it has no promotion/, ({ pipeline }) => [
    `create table meridian.kept as select * from meridian.promotion where pipeline = '${pipeline}' and sequence = 2;
     delete from meridian.promotion where pipeline = '${pipeline}' and sequence = 2`,
    'insert into meridian.promotion select * from meridian.kept; drop table meridian.kept',
  ]),
  sqlTampering('a job that no row mentions', ['I5'], /stands in no row of meridian.job/, ({ pipeline }) => [
    `create table meridian.kept as select * from meridian.job where pipeline = '${pipeline}' and kind = 'emr' and interval_end = '2024-01-03';
     delete from meridian.job where pipeline = '${pipeline}' and kind = 'emr' and interval_end = '2024-01-03'`,
    'insert into meridian.job select * from meridian.kept; drop table meridian.kept',
  ]),
  sqlTampering('a job on record as alive', ['I7'], /is on record as RUNNING/, ({ pipeline }) => [
    `update meridian.job set state = 'RUNNING' where pipeline = '${pipeline}' and kind = 'emr' and interval_end = '2024-01-02'`,
    `update meridian.job set state = 'SUCCESS' where pipeline = '${pipeline}' and kind = 'emr' and interval_end = '2024-01-02'`,
  ]),
];

/** Of what others reported of the scenario, and of its histories. */
const REPORTS: readonly Tampering[] = [
  {
    what: 'a reader that saw an empty view',
    names: ['I3'],
    says: /1 of 50 reads were empty/,
    plant: async (subject) => ({ subject: { ...subject, readers: { reads: 50, failed: 0, empty: 1, mixed: 0, stale: 0 } } }),
  },
  {
    what: 'an outcome that nobody was told',
    names: ['I9'],
    says: /told was nothing/,
    plant: async (subject) => ({ subject: { ...subject, outcomes: (subject.outcomes ?? []).slice(1) } }),
  },
  {
    what: 'a night that came to something else',
    names: ['I4'],
    says: /came to promoted, expected rejected/,
    plant: async (subject) => ({ subject: { ...subject, nights: subject.nights.map((night) => ({ ...night, expected: 'rejected' as const })) } }),
  },
  {
    what: 'a history that is not what the code would do',
    names: ['I8'],
    says: /does not replay/,
    plant: async (subject) => ({ subject: { ...subject, access: { ...subject.access, temporal: withOtherHistories(subject.access.temporal) } } }),
  },
];

/** Each is taken back before the next. */
export const TAMPERINGS: readonly Tampering[] = [...STORAGE, ...LEDGER, ...DATABASE, ...REPORTS];

interface Names {
  readonly pipeline: string;
  readonly dataset: string;
  readonly relation: string;
  /** View, served table and an older one of the points. */
  readonly points: string;
  readonly table: string;
  readonly older: string;
}

function sqlTampering(what: string, names: readonly Invariant[], says: RegExp, statements: (names: Names) => readonly [plant: string, undo: string]): Tampering {
  return {
    what,
    names,
    says,
    plant: async ({ spec, access: { pool } }) => {
      const relation = spec.quality.relation;
      const [plant, undo] = statements({ pipeline: spec.name, dataset: spec.dataset, relation, points: `vw_${relation}`, table: `${relation}_v2`, older: `${relation}_v1` });
      await pool.query(plant);
      return { undo: () => pool.query(undo) };
    },
  };
}
