import { randomUUID } from 'node:crypto';
import { CreateApplicationCommand, EMRServerlessClient } from '@aws-sdk/client-emr-serverless';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { readJsonDocument } from '../../activities/json-document';
import { createTransformDocumentActivities, type LiveStorageFile, type PreparedTransform } from '../../activities/transform-documents';
import { intervalEndingAt } from '../../domain/calendar';
import { type CycleRef, generationPrefix } from '../../domain/cycle';
import type { CopyPart, JobManifest, JobRelation, S3Pointer, TransformInput } from '../../domain/documents';
import type { PipelineSpec, RelationSpec } from '../../domain/pipeline-spec';
import { mobileGeolocation } from '../../pipelines/mobile-geolocation';
import { startLocalAws } from '../support/local-aws';
import type { TestDatabase } from '../support/postgres';
import { createActivities, loadCandidates, openNight, type OpenedCycle, putPart, run } from './fixture';
import { BUCKET } from './object-store';

const REFERENCE = 'reference/factor.txt';

/** Two relations by day, one of a row a record and one of sums. @param name - of pipeline, dataset and, in front, of relations and views */
export function dailyPipeline(name: string, changes: Partial<Pick<PipelineSpec, 'transform' | 'promotion'>> = {}): PipelineSpec {
  const relation = (of: Pick<RelationSpec, 'name' | 'columns' | 'key' | 'refreshBy'>): RelationSpec => ({ ...of, view: `vw_${of.name}`, indexes: [], mayBeEmpty: false });
  return {
    ...mobileGeolocation,
    name,
    dataset: name,
    transform: { ...mobileGeolocation.transform, references: { factor: REFERENCE }, servedDays: 8 },
    quality: { ...mobileGeolocation.quality, relation: `${name}_rows` },
    relations: [
      relation({
        name: `${name}_rows`,
        columns: [
          { name: 'seen_at', type: 'timestamptz' },
          { name: 'id', type: 'bigint' },
          { name: 'geom', type: 'geometry(Point,4326)' },
          { name: 'weight', type: 'bigint' },
        ],
        key: ['seen_at', 'id'],
        refreshBy: 'seen_at',
      }),
      relation({
        name: `${name}_days`,
        columns: [
          { name: 'day', type: 'date' },
          { name: 'records', type: 'bigint' },
          { name: 'weight', type: 'bigint' },
        ],
        key: ['day'],
        refreshBy: 'day',
      }),
    ],
    promotion: { keepVersions: 2, snapshotWaitMinutes: 1, swapWaitMinutes: 1 },
    ...changes,
  };
}

/** Records `from` to `from + rowCount - 1` of one day: a storage file of the model. */
export interface ModelFile {
  readonly key: string;
  readonly eventDate: string;
  readonly from: number;
  readonly rowCount: number;
  readonly cycle: CycleRef;
}

export interface DailyNight extends OpenedCycle {
  readonly prepared: PreparedTransform;
  readonly manifest: S3Pointer;
  readonly versions: readonly { readonly relation: string; readonly version: number }[];
}

export type DailyLake = Awaited<ReturnType<typeof openDailyLake>>;

/** A model of storage, and all activities from `prepareTransform` to `promote` over real engines; PostgreSQL itself does the job's work. */
export async function openDailyLake(test: TestDatabase) {
  const aws = await startLocalAws();
  const s3 = new S3Client(aws.clientConfig);
  const emr = new EMRServerlessClient(aws.clientConfig);
  await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
  const { applicationId = '' } = await emr.send(new CreateApplicationCommand({ name: 'refresh', releaseLabel: 'emr-7.5.0', type: 'SPARK', clientToken: randomUUID() }));
  const storage: { files: readonly ModelFile[]; nextRecord: number } = { files: [], nextRecord: 0 };
  const activities = createActivities(test, s3, async () => true);
  const documentsOf = (jobsUri: string) =>
    createTransformDocumentActivities({
      ...{ db: test.db, s3, emr, applicationId, jobsUri },
      buckets: { storage: 'storage', refined: BUCKET, quarantine: 'quarantine', artifacts: BUCKET },
      liveStorageFiles: async (): Promise<readonly LiveStorageFile[]> => storage.files,
    });

  /** Writes what a job would: of each relation a part a day, and the manifest. */
  async function doJob(input: S3Pointer, spec: PipelineSpec, edit: (manifest: JobManifest) => JobManifest = (manifest) => manifest): Promise<S3Pointer> {
    const document = await readJsonDocument<TransformInput>(s3, input);
    if (document === undefined) throw new Error('no input document');
    const given = storage.files.filter(({ key }) => document.files.some(({ uri }) => uri === `s3://storage/${key}`));
    const [factor] = Object.values(document.references);
    const weight = ((await readJsonDocument<number>(s3, { bucket: BUCKET, key: factor?.split('/').slice(3).join('/') ?? '' })) ?? 0).toString();
    const prefix = document.outputUri.split('/').slice(3).join('/');
    const relations: JobRelation[] = [];
    for (const { name, columns } of spec.relations) {
      const days: { day: string; rows: number; parquet: Record<string, string> }[] = [];
      const copyParts: CopyPart[] = [];
      for (const day of [...new Set(given.map(({ eventDate }) => eventDate))].sort()) {
        const of = given.filter(({ eventDate }) => eventDate === day);
        const records = of.map(({ from, rowCount }) => `select i from generate_series(${from}, ${from + rowCount - 1}) i`).join(' union all ');
        const count = of.reduce((sum, { rowCount }) => sum + rowCount, 0);
        const isRows = name.endsWith('_rows');
        const query = isRows
          ? `select timestamptz '${day}T00:00:00Z' + (i * 7919 % 86400) * interval '1 second', i::bigint, st_setsrid(st_makepoint(i % 180, i % 90), 4326), (i * ${weight})::bigint from (${records}) r`
          : `select date '${day}', count(*), sum(i * ${weight})::bigint from (${records}) r`;
        const rows = isRows ? count : 1;
        copyParts.push(await putPart(test, s3, `${prefix}${name}/copy/${day}`, rows, query));
        days.push({ day, rows, parquet: { all: `${document.outputUri}${name}/parquet/event_date=${day}/` } });
      }
      relations.push({ name, columns, rows: days.reduce((sum, { rows }) => sum + rows, 0), addedRows: document.addedRowCount, parquetUri: '', copyParts, days });
    }
    const manifest = edit({ inputRows: document.rowCount, quarantined: {}, quarantineFiles: [], relations });
    const pointer = { bucket: BUCKET, key: `${prefix}_manifest.json` };
    await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: pointer.key, Body: JSON.stringify(manifest) }));
    return pointer;
  }

  return {
    s3,
    activities,
    storage,
    doJob,

    /** What every row's weight is multiplied with. */
    async setReference(factor: number): Promise<void> {
      await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: REFERENCE, Body: String(factor) }));
    },

    /** Adds a file of new records to a day. */
    store(cycle: CycleRef, eventDate: string, rowCount: number): void {
      const key = `${cycle.dataset}/event_date=${eventDate}/${storage.nextRecord}.parquet`;
      storage.files = [...storage.files, { key, eventDate, from: storage.nextRecord, rowCount, cycle }];
      storage.nextRecord += rowCount;
    },

    async open(spec: PipelineSpec, intervalEnd: string): Promise<OpenedCycle> {
      return await openNight(activities, intervalEnd, spec);
    },

    /** From the plan to the loaded candidates, in the order of the workflow. */
    async build(opened: OpenedCycle, spec: PipelineSpec, { full = false, jobsUri = 's3://refined/jobs/a' }: { readonly full?: boolean; readonly jobsUri?: string } = {}): Promise<DailyNight> {
      const { cycle } = opened;
      const documents = documentsOf(jobsUri);
      const prepared = await run(documents.prepareTransform, { cycle, spec, full });
      const manifest = await doJob(prepared.input, spec);
      await run(documents.readJobManifest, { cycle, spec, input: prepared.input });
      const versions = await loadCandidates(activities, opened, spec, manifest, prepared.input);
      return { ...opened, prepared, manifest, versions };
    },

    documents: documentsOf('s3://refined/jobs/a'),

    /** Makes it what readers see, and ends the cycle. */
    async promote({ cycle, epoch, versions }: DailyNight, spec: PipelineSpec): Promise<string> {
      const { outcome } = await run(activities.promote, { cycle, spec, versions, epoch, metadata: {} });
      await run(activities.retireVersions, { spec });
      await run(activities.closeCycle, { cycle, outcome, detail: '', counts: {} });
      await run(activities.releaseTurn, { cycle, epoch });
      return outcome;
    },

    /** Ends a cycle that promotes nothing; its files are no longer stored. */
    async giveUp({ cycle, epoch }: OpenedCycle): Promise<void> {
      await run(activities.dropCandidates, { cycle });
      storage.files = storage.files.filter((file) => generationPrefix(file.cycle) !== generationPrefix(cycle));
      await run(activities.closeCycle, { cycle, outcome: 'rejected', detail: '', counts: {} });
      await run(activities.releaseTurn, { cycle, epoch });
    },

    async stop(): Promise<void> {
      emr.destroy();
      s3.destroy();
      await aws.stop();
    },
  };
}

/** Rows that only one of the two views has, repeated ones counted. */
export async function rowsApart(test: TestDatabase, a: string, b: string): Promise<number> {
  const { rows } = await test.pool.query<{ apart: number }>(
    `select count(*) as apart from ((select * from ${a} except all select * from ${b}) union all (select * from ${b} except all select * from ${a})) x`,
  );
  return Number(rows[0]?.apart);
}

/** The interval that ends on a day of 2018. */
export function endOf(day: string): string {
  return intervalEndingAt(`${day}T00:00:00Z`, { intervalHours: 24 }).end;
}
