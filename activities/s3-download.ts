import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { GetObjectCommand, type GetObjectCommandOutput, type S3Client } from '@aws-sdk/client-s3';
import { ApplicationFailure } from '@temporalio/common';
import { FailureType } from '../domain/failure-type';

/** One version of one object, with what its body is known to be. */
export interface PinnedObject {
  readonly bucket: string;
  readonly key: string;
  /** Absent: whatever is current, still held to the ETag. */
  readonly versionId?: string;
  /** Absent: known by its size only, as our own files are, whose keys are never written twice. */
  readonly etag?: string;
  readonly sizeBytes: number;
}

export interface DownloadOptions {
  readonly signal?: AbortSignal;
  /** Without a byte for this long the download is given up: the SDK's own time-out ends with the headers. */
  readonly idleTimeoutMs?: number;
}

const IDLE_TIMEOUT_MS = 30_000;
/** The same object must be there again: S3 never mends these by itself. @see GetObject, "Error codes" */
const GONE = new Set([
  'NoSuchKey',
  'NoSuchVersion',
  'NotFound',
  'PreconditionFailed',
  'MethodNotAllowed',
  'InvalidObjectState',
]);

/**
 * Streams a pinned object version into a file and checks it before anybody reads it: ETag by `If-Match`, byte count, idle
 * time-out, and MD5 where the ETag is one. Idempotent: the file is written anew.
 * @throws `ObjectDamaged`, retryable: short, stalled or altered body; `ObjectVanished`, not retryable: that version is gone
 */
export async function downloadObject(
  s3: S3Client,
  object: PinnedObject,
  path: string,
  options: DownloadOptions = {},
): Promise<void> {
  const body = await openObject(s3, object, options);
  await pipeline(body, createWriteStream(path), ...(options.signal === undefined ? [] : [{ signal: options.signal }]));
}

/**
 * The checked body as a stream: it fails at its end when it was not what the pin says, so a reader must not act on it before.
 * @throws as `downloadObject`; failures after the headers come as the stream's error
 */
export async function openObject(s3: S3Client, object: PinnedObject, options: DownloadOptions = {}): Promise<Readable> {
  const response = await getPinned(s3, object, options.signal);
  if (!(response.Body instanceof Readable)) throw damaged(object, 'the response has no body');
  const check = checkingStream(object, expectedMd5(response));
  const idle = idleGuard(object, options.idleTimeoutMs ?? IDLE_TIMEOUT_MS, check);
  // A cut connection surfaces on the source: it must reach the reader as damage, not as a clean end.
  response.Body.once('error', (error: Error) => check.destroy(damaged(object, error.message)));
  check.once('close', () => {
    idle.stop();
    (response.Body as Readable).destroy();
  });
  response.Body.on('data', idle.alive);
  return response.Body.pipe(check);
}

async function getPinned(
  s3: S3Client,
  object: PinnedObject,
  signal: AbortSignal | undefined,
): Promise<GetObjectCommandOutput> {
  try {
    return await s3.send(
      new GetObjectCommand({
        Bucket: object.bucket,
        Key: object.key,
        ...(object.etag === undefined ? {} : { IfMatch: object.etag }),
        ...(object.versionId === undefined ? {} : { VersionId: object.versionId }),
      }),
      signal === undefined ? {} : { abortSignal: signal },
    );
  } catch (error) {
    if (!(error instanceof Error) || !GONE.has(error.name)) throw error;
    throw ApplicationFailure.create({
      message:
        `${describe(object)} is gone (${error.name}): it was deleted, archived or overwritten in an unversioned bucket ` +
        'since this cycle pinned it. Start the cycle again, so that it discovers what is there now',
      type: FailureType.ObjectVanished,
      nonRetryable: true,
      cause: error,
    });
  }
}

/** Counts, hashes, and refuses to end well on a body that is not the pinned one. */
function checkingStream(object: PinnedObject, md5: string | undefined): Transform {
  const hash = createHash('md5');
  let sizeBytes = 0;
  return new Transform({
    transform(bytes: Buffer, _encoding, done) {
      sizeBytes += bytes.length;
      if (md5 !== undefined) hash.update(bytes);
      done(null, bytes);
    },
    flush(done) {
      if (sizeBytes !== object.sizeBytes)
        return done(damaged(object, `expected ${object.sizeBytes} bytes, found ${sizeBytes}`));
      const found = md5 === undefined ? undefined : hash.digest('hex');
      if (found !== md5) return done(damaged(object, `expected MD5 ${md5}, found ${found}`));
      done();
    },
  });
}

/** A reader that takes its time is not a stalled source: the clock runs only while bytes are wanted. */
function idleGuard(object: PinnedObject, timeoutMs: number, stream: Transform): { readonly alive: () => void; readonly stop: () => void } {
  const timer = setTimeout(() => {
    if (stream.writableNeedDrain) timer.refresh();
    else stream.destroy(damaged(object, `no byte arrived for ${timeoutMs} ms`));
  }, timeoutMs);
  return { alive: () => void timer.refresh(), stop: () => clearTimeout(timer) };
}

/**
 * An ETag is the content's MD5 only for an object put whole that no KMS key encrypts. Not computed where the SDK checks a checksum of the
 * object's own: twice the hashing finds nothing more. @see API reference, "Object", `ETag`
 */
export function expectedMd5(response: GetObjectCommandOutput): string | undefined {
  const checkedBySdk = response.ChecksumCRC32 ?? response.ChecksumCRC32C ?? response.ChecksumCRC64NVME ?? response.ChecksumSHA1 ?? response.ChecksumSHA256;
  const isKeyed = response.ServerSideEncryption?.startsWith('aws:kms') === true || response.SSECustomerAlgorithm !== undefined;
  return checkedBySdk !== undefined || isKeyed ? undefined : /^"?([0-9a-f]{32})"?$/.exec(response.ETag ?? '')?.[1];
}

function damaged(object: PinnedObject, found: string): ApplicationFailure {
  return ApplicationFailure.create({
    message: `${describe(object)} arrived damaged: ${found}`,
    type: FailureType.ObjectDamaged,
  });
}

function describe(object: PinnedObject): string {
  const version = object.versionId === undefined ? '' : `, version ${object.versionId}`;
  return `Object s3://${object.bucket}/${JSON.stringify(object.key).slice(1, -1)} (ETag ${object.etag ?? 'any'}${version})`;
}
