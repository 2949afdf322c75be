import { createHash, type Hash } from 'node:crypto';
import { Readable } from 'node:stream';
import { GetObjectCommand, NoSuchKey, type S3Client } from '@aws-sdk/client-s3';
import { ApplicationFailure } from '@temporalio/common';
import type { CopyPart } from '../domain/documents';
import { FailureType } from '../domain/failure-type';
import { expectedMd5 } from './s3-download';

const S3_URI = /^s3:\/\/([^/]+)\/(.+)$/s;

/**
 * The bytes of one COPY part, as pinned by its ETag. Fails, before the copy can be completed, when the object is another one,
 * stalls, or is not as long or not the same as announced: the SDK alone accepts all three in silence.
 * @param idleMs - longest wait for the next bytes
 * @throws `ObjectVanished`, not retryable; `ObjectDamaged`
 */
export async function openPart(s3: S3Client, part: CopyPart, idleMs: number, signal: AbortSignal): Promise<Readable> {
  const [, bucket, key] = S3_URI.exec(part.uri) ?? [];
  if (bucket === undefined || key === undefined) {
    throw ApplicationFailure.nonRetryable(`COPY part "${part.uri}" is no s3:// URI of an object`, FailureType.JobOutputInvalid);
  }
  try {
    const quoted = part.etag.startsWith('"') ? part.etag : `"${part.etag}"`;
    const response = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key, IfMatch: quoted }), { abortSignal: signal });
    return new GuardedBody(response.Body as Readable, part, expectedMd5(response), idleMs);
  } catch (error) {
    const changed = (error as { readonly name?: string }).name === 'PreconditionFailed';
    if (!changed && !(error instanceof NoSuchKey)) throw error;
    throw ApplicationFailure.nonRetryable(
      `COPY part ${part.uri} is ${changed ? 'another object now' : 'gone'}: expected ETag ${part.etag} as the job's manifest says; run the cycle again`,
      FailureType.ObjectVanished,
    );
  }
}

/** Passes a body on, and ends well only if all of it came; its clock runs while it waits for S3, not while PostgreSQL is busy. */
class GuardedBody extends Readable {
  private readonly hash: Hash | undefined;
  private sizeBytes = 0;
  private ended = false;
  private clock: NodeJS.Timeout | undefined;

  constructor(
    private readonly body: Readable,
    private readonly part: CopyPart,
    private readonly expectedMd5: string | undefined,
    private readonly idleMs: number,
  ) {
    super();
    this.hash = expectedMd5 === undefined ? undefined : createHash('md5');
    body
      .on('data', (chunk: Buffer) => this.accept(chunk))
      .once('end', () => this.finish())
      .once('error', (error: Error) => this.fail(error.message))
      .once('close', () => this.ended || this.fail('the connection closed'))
      .pause();
  }

  override _read(): void {
    this.startClock();
    this.body.resume();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    clearTimeout(this.clock);
    this.body.on('error', () => undefined).destroy();
    callback(error);
  }

  private accept(chunk: Buffer): void {
    this.sizeBytes += chunk.length;
    this.hash?.update(chunk);
    this.startClock();
    if (this.push(chunk)) return;
    clearTimeout(this.clock);
    this.body.pause();
  }

  private finish(): void {
    this.ended = true;
    clearTimeout(this.clock);
    const md5 = this.hash?.digest('hex');
    if (this.sizeBytes !== this.part.sizeBytes) this.fail(`expected ${this.part.sizeBytes} bytes, found ${this.sizeBytes}`);
    else if (md5 !== this.expectedMd5) this.fail(`expected MD5 ${this.expectedMd5}, found ${md5}`);
    else this.push(null);
  }

  private fail(how: string): void {
    this.destroy(
      ApplicationFailure.create({
        message: `COPY part ${this.part.uri} did not arrive whole: ${how}; nothing of it was loaded, it will be read again`,
        type: FailureType.ObjectDamaged,
      }),
    );
  }

  private startClock(): void {
    clearTimeout(this.clock);
    this.clock = setTimeout(() => this.fail(`no bytes for ${this.idleMs} ms`), this.idleMs);
  }
}
