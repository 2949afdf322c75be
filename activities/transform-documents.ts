import { ApplicationFailure } from '@temporalio/common';
import type { S3Client } from '@aws-sdk/client-s3';
import { type CycleRef, cycleId, generationPrefix } from '../domain/cycle';
import type { JobManifest, QuarantineCounts, S3Pointer, TransformInput } from '../domain/documents';
import { FailureType } from '../domain/failure-type';
import { outputName, type PipelineSpec } from '../domain/pipeline-spec';
import { relationOf } from './job-relation';
import { readJsonDocument, writeJsonDocumentOnce } from './json-document';

/** A storage file with the cycle generation that stored it. */
export interface LiveStorageFile {
  readonly key: string;
  readonly eventDate: string;
  readonly rowCount: number;
  readonly cycle: CycleRef;
}

export interface TransformDocumentDependencies {
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
     * @param data - the earlier generation whose chunks a rerun builds on; absent: the cycle's own
     */
    async prepareTransform({ cycle, spec, data = cycle }: PrepareTransformInput): Promise<PreparedTransform> {
      const pointer = transformInputPointer(deps.buckets.artifacts, cycle);
      const existing = await readJsonDocument<TransformInput>(deps.s3, pointer);
      const document = existing ?? (await writeJsonDocumentOnce(deps.s3, pointer, await describeInput(deps, cycle, spec, data)));
      return preparedOf(pointer, document);
    },

    /** What an earlier generation's transform was given. Idempotent: reads only. @throws `JobOutputInvalid`, not retryable, when it is gone */
    async readTransformInput({ cycle }: { readonly cycle: CycleRef }): Promise<PreparedTransform> {
      const pointer = transformInputPointer(deps.buckets.artifacts, cycle);
      const document = await readJsonDocument<TransformInput>(deps.s3, pointer);
      if (document !== undefined) return preparedOf(pointer, document);
      throw ApplicationFailure.nonRetryable(`s3://${pointer.bucket}/${pointer.key} is gone: expected the input of the transform that is reused`, FailureType.JobOutputInvalid);
    },

    /**
     * Reads the `_manifest.json` that the job wrote last, and holds it against the declaration. Idempotent: reads only.
     * @throws `JobOutputInvalid`, not retryable: the job ended in SUCCESS without a manifest, or with one that does not fit
     */
    async readJobManifest({ cycle, spec }: { readonly cycle: CycleRef; readonly spec: PipelineSpec }): Promise<TransformOutput> {
      const pointer = { bucket: deps.buckets.refined, key: `${generationPrefix(cycle)}/_manifest.json` };
      const manifest = await readJsonDocument<JobManifest>(deps.s3, pointer);
      const faults = manifest === undefined ? ['it is not there'] : manifestFaults(manifest, spec);
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
}

export interface PrepareTransformInput {
  readonly cycle: CycleRef;
  readonly spec: PipelineSpec;
  readonly data?: CycleRef;
}

/** What passes through Temporal of an input document. */
export function preparedOf(input: S3Pointer, { files, rowCount, addedRowCount }: TransformInput): PreparedTransform {
  return { input, files: files.length, rowCount, addedRowCount };
}

/** Of the live files, those that a cycle serves. */
export function servedFiles<File extends { readonly eventDate: string }>(live: readonly File[], cycle: CycleRef, spec: PipelineSpec): readonly File[] {
  const firstServed = firstServedDate(cycle, spec);
  return live.filter((file) => firstServed === undefined || file.eventDate >= firstServed);
}

async function describeInput(deps: TransformDocumentDependencies, cycle: CycleRef, spec: PipelineSpec, data: CycleRef): Promise<TransformInput> {
  const live = await deps.liveStorageFiles(spec);
  const files = live.map((file) => ({
    uri: `s3://${deps.buckets.storage}/${file.key}`,
    eventDate: file.eventDate,
    rowCount: file.rowCount,
    added: cycleId(file.cycle) === cycleId(data) && file.cycle.generation === data.generation,
  }));
  return transformInput(deps.buckets, cycle, spec, { data, files, quarantineUri: `s3://${deps.buckets.quarantine}/${generationPrefix(cycle)}/transform/` });
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
  { data = cycle, ...given }: { readonly files: readonly InputFile[]; readonly quarantineUri: string; readonly data?: CycleRef },
): TransformInput {
  const files = servedFiles(given.files, cycle, spec).map(({ uri, rowCount, added }) => ({ uri, rowCount, added }));
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
  };
}

function firstServedDate(cycle: CycleRef, spec: PipelineSpec): string | undefined {
  if (spec.transform.servedDays === undefined) return undefined;
  return new Date(Date.parse(cycle.intervalEnd) - spec.transform.servedDays * 86_400_000).toISOString().slice(0, 10);
}

function manifestFaults(manifest: JobManifest, spec: PipelineSpec): readonly string[] {
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
  }
  const gated = outputName(relationOf(spec, spec.quality.relation));
  const records = manifest.relations.find((relation) => relation.name === gated);
  if (records !== undefined && records.addedRows === undefined) {
    faults.push(`relation "${gated}" does not say how many of its rows this cycle added`);
  }
  return faults;
}
