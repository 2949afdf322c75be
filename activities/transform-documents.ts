import { ApplicationFailure } from '@temporalio/common';
import type { S3Client } from '@aws-sdk/client-s3';
import { type CycleRef, cycleId, generationPrefix } from '../domain/cycle';
import type { JobManifest, QuarantineCounts, S3Pointer, TransformInput } from '../domain/documents';
import { FailureType } from '../domain/failure-type';
import { outputName, type PipelineSpec } from '../domain/pipeline-spec';
import { isRefreshedByDay, type RefreshPlan, type RefreshSummary, summaryOf } from '../domain/refresh';
import { relationOf } from './job-relation';
import { readJsonDocument, writeJsonDocumentOnce } from './json-document';
import { planRefresh, referenceEtags, type RefreshDependencies } from './refresh-plan';
import { requiredTransformInput } from './transform-input';

/** A storage file with the cycle generation that stored it. */
export interface LiveStorageFile {
  readonly key: string;
  readonly eventDate: string;
  readonly rowCount: number;
  readonly cycle: CycleRef;
}

export interface TransformDocumentDependencies extends Omit<RefreshDependencies, 'artifactsBucket'> {
  readonly s3: S3Client;
  readonly buckets: { readonly storage: string; readonly refined: string; readonly quarantine: string; readonly artifacts: string };
  /** Files of every committed, unvoided chunk of the dataset: never a listing of a prefix. */
  readonly liveStorageFiles: (spec: PipelineSpec) => Promise<readonly LiveStorageFile[]>;
}

/** What passes through Temporal of a job's manifest: counts only. */
export interface TransformOutput {
  readonly manifest: S3Pointer;
  readonly inputRows: number;
  readonly quarantined: QuarantineCounts;
  readonly relations: readonly { readonly name: string; readonly rows: number; readonly addedRows?: number; readonly parts: number; readonly sizeBytes: number }[];
}

/** Activities that write what a transform job is given and read what it left. */
export function createTransformDocumentActivities(deps: TransformDocumentDependencies) {
  return {
    /**
     * Writes the job's input document once; idempotent by (cycle, generation): a retry returns the first one.
     * @param input.data - the earlier generation whose chunks a rerun builds on; absent: the cycle's own
     * @param input.full - of a pipeline that is refreshed by day: rebuild every day
     */
    async prepareTransform(input: PrepareTransformInput): Promise<PreparedTransform> {
      const { cycle, spec } = input;
      const pointer = transformInputPointer(deps.buckets.artifacts, cycle);
      const existing = await readJsonDocument<TransformInput>(deps.s3, pointer);
      const document = existing ?? (await writeJsonDocumentOnce(deps.s3, pointer, await describeInput(deps, input)));
      return preparedOf(pointer, document, spec);
    },

    /** What an earlier generation's transform was given. Idempotent: reads only. @throws `JobOutputInvalid`, not retryable, when it is gone */
    async readTransformInput({ cycle, spec }: { readonly cycle: CycleRef; readonly spec?: PipelineSpec }): Promise<PreparedTransform> {
      const pointer = transformInputPointer(deps.buckets.artifacts, cycle);
      return preparedOf(pointer, await requiredTransformInput(deps.s3, pointer, 'the transform that is reused'), spec);
    },

    /**
     * Reads the `_manifest.json` that the job wrote last, and holds it against the declaration. Idempotent: reads only.
     * @param input.input - what the job was given, when it has just been run: its references must still be what they were then
     * @throws `JobOutputInvalid`, not retryable: the job ended in SUCCESS without a manifest, or with one that does not fit
     */
    async readJobManifest({ cycle, spec, input }: { readonly cycle: CycleRef; readonly spec: PipelineSpec; readonly input?: S3Pointer }): Promise<TransformOutput> {
      const pointer = { bucket: deps.buckets.refined, key: `${generationPrefix(cycle)}/_manifest.json` };
      const manifest = await readJsonDocument<JobManifest>(deps.s3, pointer);
      const given = input === undefined || !isRefreshedByDay(spec) ? undefined : (await readJsonDocument<TransformInput>(deps.s3, input))?.refresh;
      const faults = manifest === undefined ? ['it is not there'] : manifestFaults(manifest, spec, given);
      if (given !== undefined) faults.push(...(await changedReferences(deps, spec, given)));
      if (manifest === undefined || faults.length > 0) {
        throw ApplicationFailure.nonRetryable(
          `The job "${spec.transform.job}" ended in SUCCESS, but s3://${pointer.bucket}/${pointer.key} is no valid output: ${faults.join('; ')}`,
          FailureType.JobOutputInvalid,
        );
      }
      return {
        manifest: pointer,
        inputRows: manifest.inputRows,
        quarantined: manifest.quarantined,
        relations: manifest.relations.map((relation) => ({
          name: spec.relations.find((declared) => outputName(declared) === relation.name)?.name ?? relation.name,
          rows: relation.rows,
          ...(relation.addedRows === undefined ? {} : { addedRows: relation.addedRows }),
          parts: relation.copyParts.length,
          sizeBytes: relation.copyParts.reduce((sum, part) => sum + part.sizeBytes, 0),
        })),
      };
    },
  };
}
/** Where a generation's input document stands. */
export function transformInputPointer(artifactsBucket: string, cycle: CycleRef): S3Pointer {
  return { bucket: artifactsBucket, key: `cycles/${generationPrefix(cycle)}/transform/input.json` };
}

export type TransformDocumentActivities = ReturnType<typeof createTransformDocumentActivities>;

export interface PreparedTransform {
  readonly input: S3Pointer;
  readonly files: number;
  readonly rowCount: number;
  readonly addedRowCount: number;
  /** Of a pipeline that is refreshed by day: then the counts above are those of the rebuilt days. */
  readonly refresh?: RefreshSummary;
}

export interface PrepareTransformInput {
  readonly cycle: CycleRef;
  readonly spec: PipelineSpec;
  readonly data?: CycleRef;
  readonly full?: boolean;
}

/** What passes through Temporal of an input document. */
export function preparedOf(input: S3Pointer, { files, rowCount, addedRowCount, refresh }: TransformInput, spec?: PipelineSpec): PreparedTransform {
  const relations = spec?.relations.map(({ name }) => name) ?? [];
  return { input, files: files.length, rowCount, addedRowCount, ...(refresh === undefined ? {} : { refresh: summaryOf(refresh, relations) }) };
}

/** Of the live files, those that a cycle serves. */
export function servedFiles<File extends { readonly eventDate: string }>(live: readonly File[], cycle: CycleRef, spec: PipelineSpec): readonly File[] {
  const firstServed = firstServedDate(cycle, spec);
  return live.filter((file) => firstServed === undefined || file.eventDate >= firstServed);
}

async function describeInput(deps: TransformDocumentDependencies, { cycle, spec, data = cycle, full = false }: PrepareTransformInput): Promise<TransformInput> {
  const live = await deps.liveStorageFiles(spec);
  const files = live.map((file) => ({
    uri: `s3://${deps.buckets.storage}/${file.key}`,
    eventDate: file.eventDate,
    rowCount: file.rowCount,
    added: cycleId(file.cycle) === cycleId(data) && file.cycle.generation === data.generation,
  }));
  const quarantineUri = `s3://${deps.buckets.quarantine}/${generationPrefix(cycle)}/transform/`;
  if (!isRefreshedByDay(spec)) return transformInput(deps.buckets, cycle, spec, { data, files, quarantineUri });
  const refresh = await planRefresh({ ...deps, artifactsBucket: deps.buckets.artifacts }, spec, servedFiles(files, cycle, spec), full);
  return transformInput(deps.buckets, cycle, spec, { data, files, quarantineUri, refresh });
}

/** A file that a job may be given; which event dates are served says the declaration. */
export interface InputFile {
  readonly uri: string;
  readonly eventDate: string;
  readonly rowCount: number;
  readonly added: boolean;
}

/** What a job is given for one generation, whose output goes to the generation's own prefix of the refined bucket. @param data - as in `PrepareTransformInput` */
export function transformInput(
  buckets: Pick<TransformDocumentDependencies['buckets'], 'refined' | 'artifacts'>,
  cycle: CycleRef,
  spec: PipelineSpec,
  { data = cycle, refresh, ...given }: { readonly files: readonly InputFile[]; readonly quarantineUri: string; readonly data?: CycleRef; readonly refresh?: RefreshPlan },
): TransformInput {
  const kept = new Set(refresh?.keptUris);
  const files = servedFiles(given.files, cycle, spec).filter(({ uri }) => !kept.has(uri)).map(({ uri, rowCount, added }) => ({ uri, rowCount, added }));
  const rowsOf = (some: readonly { readonly rowCount: number }[]) => some.reduce((sum, file) => sum + file.rowCount, 0);
  return {
    // The job tells added rows by it: they carry the generation that stored them.
    cycle: data,
    cycleId: cycleId(cycle),
    files,
    rowCount: rowsOf(files),
    addedRowCount: rowsOf(files.filter((file) => file.added)),
    references: Object.fromEntries(
      Object.entries(spec.transform.references).map(([name, key]) => [name, `s3://${buckets.artifacts}/${key}`]),
    ),
    outputUri: `s3://${buckets.refined}/${generationPrefix(cycle)}/`,
    quarantineUri: given.quarantineUri,
    ...(refresh === undefined ? {} : { refresh }),
  };
}

function firstServedDate(cycle: CycleRef, spec: PipelineSpec): string | undefined {
  if (spec.transform.servedDays === undefined) return undefined;
  return new Date(Date.parse(cycle.intervalEnd) - spec.transform.servedDays * 86_400_000).toISOString().slice(0, 10);
}

/** What of the reference data is another one than when the plan was made: then some days were made with the one, some with the other. */
async function changedReferences(deps: TransformDocumentDependencies, spec: PipelineSpec, { references }: RefreshPlan): Promise<readonly string[]> {
  const now = await referenceEtags({ s3: deps.s3, artifactsBucket: deps.buckets.artifacts }, spec);
  return Object.keys(references)
    .filter((name) => now[name] !== references[name])
    .map((name) => `reference "${name}" was replaced while the job ran, expected ${references[name]}, found ${now[name]}: run the cycle again`);
}

function manifestFaults(manifest: JobManifest, spec: PipelineSpec, given: RefreshPlan | undefined): string[] {
  const faults: string[] = [];
  for (const declared of spec.relations) {
    const name = outputName(declared);
    const found = manifest.relations.find((relation) => relation.name === name);
    if (found === undefined) {
      faults.push(`relation "${name}" is missing`);
      continue;
    }
    const inParts = found.copyParts.reduce((sum, part) => sum + part.rows, 0);
    if (inParts !== found.rows) faults.push(`relation "${name}" has ${found.rows} rows, but its COPY parts hold ${inParts}`);
    if (given !== undefined) faults.push(...dayFaults(found, given));
  }
  const gated = outputName(relationOf(spec, spec.quality.relation));
  const records = manifest.relations.find((relation) => relation.name === gated);
  if (records !== undefined && records.addedRows === undefined) {
    faults.push(`relation "${gated}" does not say how many of its rows this cycle added`);
  }
  return faults;
}

/** Rows of a day that was not asked for would stand twice in the candidate, or be nobody's. */
function dayFaults({ name, rows, days = [] }: JobManifest['relations'][number], { rebuilt }: RefreshPlan): readonly string[] {
  const asked = new Set(rebuilt.map(({ day }) => day));
  const others = days.map(({ day }) => day).filter((day) => !asked.delete(day));
  const inDays = days.reduce((sum, day) => sum + day.rows, 0);
  return [
    ...(others.length === 0 ? [] : [`relation "${name}" has rows of days that it was not given, or a day twice: ${others.slice(0, 5).join(', ')}; refreshBy must be a column whose UTC day is the event date of the row's records`]),
    ...(inDays === rows ? [] : [`relation "${name}" has ${rows} rows, but ${inDays} in its days`]),
  ];
}
