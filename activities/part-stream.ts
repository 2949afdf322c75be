import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { GetObjectCommand, type GetObjectCommandOutput, NoSuchKey, type S3Client } from '@aws-sdk/client-s3';
import { ApplicationFailure } from '@temporalio/common';
import type { CopyPart } from '../domain/documents';
import { FailureType } from '../domain/failure-type';

const S3_URI = /^s3:\/\/([^/]+)\/(.+)$/s;
const MD5_ETAG = /^"?([0-9a-f]{32})"?$/;

/**
 * The bytes of one COPY part, as pinned by its ETag. Ends in an error, before the copy can be completed, when the object is
 * another one, stalls, or is not as long or not the same as announced: the SDK alone accepts all three in silence.
 * @param idleMs - longest wait for the next bytes
 * @throws `ObjectVanished`, not retryable; `ObjectDamaged`, retryable
 */
export async function openPart(s3: S3Client, part: CopyPart, idleMs: number, signal: AbortSignal): Promise<AsyncIterable<Buffer>> {
  const [, bucket, key] = S3_URI.exec(part.uri) ?? [];
  if (bucket === undefined || key === undefined) {
    throw ApplicationFailure.nonRetryable(`COPY part "${part.uri}" is no s3:// URI of an object`, FailureType.JobOutputInvalid);
  }
  const response = await getObject(s3, part, { bucket, key }, signal);
  return guarded(response, part, idleMs);
}

async function getObject(
  s3: S3Client,
  part: CopyPart,
  { bucket, key }: { readonly bucket: string; readonly key: string },
  signal: AbortSignal,
): Promise<GetObjectCommandOutput> {
  try {
    const quoted = part.etag.startsWith('"') ? part.etag : `"${part.etag}"`;
    return await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key, IfMatch: quoted }), { abortSignal: signal });
  } catch (error) {
    const changed = (error as { readonly name?: string }).name === 'PreconditionFailed';
    if (!changed && !(error instanceof NoSuchKey)) throw error;
    throw ApplicationFailure.nonRetryable(
      `COPY part ${part.uri} is ${changed ? 'another object now' : 'gone'}: expected ETag ${part.etag} as the job's manifest says; run the cycle again`,
      FailureType.ObjectVanished,
    );
  }
}

async function* guarded(response: GetObjectCommandOutput, part: CopyPart, idleMs: number): AsyncGenerator<Buffer> {
  const body = response.Body as Readable;
  const expectedMd5 = contentMd5(response, part);
  const hash = expectedMd5 === undefined ? undefined : createHash('md5');
  const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let sizeBytes = 0;
  try {
    for (;;) {
      const next = await nextWithin(chunks, idleMs, part);
      if (next.done === true) break;
      sizeBytes += next.value.length;
      hash?.update(next.value);
      yield next.value;
    }
    if (sizeBytes !== part.sizeBytes) throw damaged(part, `expected ${part.sizeBytes} bytes, found ${sizeBytes}`);
    const md5 = hash?.digest('hex');
    if (md5 !== expectedMd5) throw damaged(part, `expected MD5 ${expectedMd5}, found ${md5}`);
  } finally {
    body.destroy();
  }
}

/** An ETag is the content's MD5 only for an object put whole and not encrypted by KMS; the SDK itself checks other checksums. */
function contentMd5(response: GetObjectCommandOutput, part: CopyPart): string | undefined {
  const checkedBySdk = response.ChecksumCRC32 ?? response.ChecksumCRC32C ?? response.ChecksumCRC64NVME ?? response.ChecksumSHA256;
  const encryptedByKms = response.ServerSideEncryption?.startsWith('aws:kms') === true;
  return checkedBySdk !== undefined || encryptedByKms ? undefined : MD5_ETAG.exec(part.etag)?.[1];
}

async function nextWithin<T>(chunks: AsyncIterator<T>, idleMs: number, part: CopyPart): Promise<IteratorResult<T>> {
  let timer: NodeJS.Timeout | undefined;
  const stalled = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(damaged(part, `no bytes for ${idleMs} ms`)), idleMs);
  });
  try {
    return await Promise.race([chunks.next(), stalled]);
  } catch (error) {
    // Such as a connection reset in the middle of the body, or a checksum that the SDK found wrong.
    throw error instanceof ApplicationFailure ? error : damaged(part, error instanceof Error ? error.message : String(error));
  } finally {
    clearTimeout(timer);
  }
}

function damaged(part: CopyPart, how: string): ApplicationFailure {
  return ApplicationFailure.create({
    message: `COPY part ${part.uri} did not arrive whole: ${how}; nothing of it was loaded, it will be read again`,
    type: FailureType.ObjectDamaged,
  });
}
