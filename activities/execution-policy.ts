import { ApplicationFailure } from '@temporalio/common';
import type { DedupInput, S3Pointer, TransformInput } from '../domain/documents';
import { FailureType } from '../domain/failure-type';

/** @see StartJobRun, `executionIamPolicy.policy`: at most so many characters */
const LONGEST_POLICY = 2_048;

/** What a run is given beside its document. */
export interface RunPlaces {
  /** The job's one argument. */
  readonly input: S3Pointer;
  /** `s3://bucket/jobs/<content hash>` */
  readonly jobsUri: string;
  /** Where EMR Serverless writes the run's logs, below the configured URI: `s3://bucket/logs/applications/<id>/jobs/` */
  readonly logsUri: string;
  /** `aws`, or the partition of another part of the world. */
  readonly partition: string;
}

/**
 * What a transform's run may do at most, whatever its role allows for all runs: read the files of its own document, the job code and its
 * references, and write below its own generation's prefixes (S2.21). Equal for equal documents, so that a retry's request is the first one's.
 * @throws `JobRefused`, not retryable, when bucket names and references are too long for the service's limit
 */
export function transformPolicy(document: TransformInput, places: RunPlaces): string {
  const own = [...commonFolders(document.files.map(({ uri }) => uri)), ...given(places)];
  const references = Object.values(document.references);
  const written = [`${document.outputUri}*`, `${document.quarantineUri}*`, `${places.logsUri}*`];
  // Each reference by itself, a file or a folder; or the folder of all of them, where their names would not fit.
  const narrow = policyOf(places, [...own, ...references.map((uri) => `${uri}*`)], written);
  return narrow.length <= LONGEST_POLICY ? narrow : withinLimit(places, policyOf(places, [...own, ...commonFolders(references)], written));
}

/**
 * What a dedup's run may do at most: read its raw objects, the storage files that count as seen and the job code, and write files of its
 * own attempt. Else as `transformPolicy`.
 */
export function dedupPolicy(document: DedupInput, places: RunPlaces): string {
  const raw = commonFolders(document.objects.map(({ key }) => `s3://${document.raw.bucket}/${key}`));
  const seen = commonFolders(Object.values(document.seen).flatMap((files) => files.map(({ uri }) => uri)));
  const written = [`${document.storageUri}event_date=*/${document.attempt}-*`, `${document.quarantineUri}*`, `${document.workUri}*`, `${places.logsUri}*`];
  return withinLimit(places, policyOf(places, [...raw, ...seen, ...given(places)], written, raw));
}

function given({ input, jobsUri }: RunPlaces): readonly string[] {
  return [`s3://${input.bucket}/${input.key}`, `${jobsUri}/*`];
}

function withinLimit({ input }: RunPlaces, policy: string): string {
  if (policy.length <= LONGEST_POLICY) return policy;
  throw ApplicationFailure.nonRetryable(
    `The execution policy of the run of s3://${input.bucket}/${input.key} has ${policy.length} characters, and EMR Serverless takes ${LONGEST_POLICY}: shorten the names of buckets or references`,
    FailureType.JobRefused,
  );
}

/** @param pinned - what of `read` is read by its version */
function policyOf({ partition }: RunPlaces, read: readonly string[], written: readonly string[], pinned: readonly string[] = []): string {
  const arn = (uri: string) => `arn:${partition}:s3:::${uri.replace(/^s3:\/\//, '')}`;
  const buckets = new Set([...read, ...written].map((uri) => arn(uri).split('/')[0] ?? ''));
  const allow = (Action: readonly string[], resources: Iterable<string>) => ({ Effect: 'Allow', Action, Resource: [...new Set(resources)].sort() });
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      // Names alone, of the role's own buckets; a file that is not there must be told from one that may not be read.
      allow(['s3:GetBucketLocation', 's3:ListBucket', 's3:ListBucketMultipartUploads'], buckets),
      allow(['s3:GetObject'], read.map(arn)),
      ...(pinned.length === 0 ? [] : [allow(['s3:GetObjectVersion'], pinned.map(arn))]),
      allow(['s3:AbortMultipartUpload', 's3:DeleteObject', 's3:GetObject', 's3:ListMultipartUploadParts', 's3:PutObject'], written.map(arn)),
      // The role says which key, if there is one.
      { Effect: 'Allow', Action: ['kms:Decrypt', 'kms:GenerateDataKey'], Resource: '*', Condition: { StringLike: { 'kms:ViaService': 's3.*' } } },
    ],
  });
}

/** Of each bucket the longest folder that holds all of its objects: `s3://bucket/folder/*`. */
function commonFolders(uris: readonly string[]): readonly string[] {
  const folders = new Map<string, string>();
  for (const uri of uris) {
    const bucket = uri.split('/').slice(0, 3).join('/');
    folders.set(bucket, commonFolder(folders.get(bucket) ?? uri, uri));
  }
  return [...folders.values()].map((folder) => `${folder}*`);
}

function commonFolder(one: string, other: string): string {
  let same = 0;
  while (same < one.length && one[same] === other[same]) same += 1;
  return one.slice(0, one.lastIndexOf('/', same - 1) + 1);
}
