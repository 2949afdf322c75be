import { Readable } from 'node:stream';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { S3Client } from '@aws-sdk/client-s3';
import { downloadObject, openObject } from '../../activities/s3-download';
import { currentVersionPages } from '../../activities/batches/list-versions';
import type { RawObject } from '../../domain/documents';
import { FailureType } from '../../domain/failure-type';

/** A service that answers as a test says: the emulator has no broken connections to offer. */
let server: Server;
let s3: S3Client;
let dir: string;
let answer: RequestListener;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'meridian-download-'));
  server = createServer((request, response) => answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  s3 = new S3Client({ endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', credentials, maxAttempts: 1 });
});
afterAll(async () => {
  s3.destroy();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(dir, { recursive: true, force: true });
});

const body = Buffer.from('x'.repeat(100_000));
const md5 = createHash('md5').update(body).digest('hex');
const pinned = { bucket: 'raw', key: 'a b/%2F', versionId: 'v1', etag: `"${md5}"`, sizeBytes: body.length };
const path = () => join(dir, 'object');

test('a whole body is written as it is, asked for by version and ETag', async () => {
  let asked = { url: '', ifMatch: '' };
  answer = (request, response) => {
    asked = { url: request.url ?? '', ifMatch: String(request.headers['if-match']) };
    response.writeHead(200, { ETag: `"${md5}"`, 'Content-Length': body.length }).end(body);
  };
  await downloadObject(s3, pinned, path());
  expect(await readFile(path())).toEqual(body);
  expect(asked.ifMatch).toBe(`"${md5}"`);
  expect(asked.url).toMatch(/^\/raw\/a%20b\/%252F\?.*versionId=v1/);
});

const DAMAGES: readonly (readonly [string, RequestListener])[] = [
  ['a connection that is cut within the promised length', (_request, response) => {
    response.writeHead(200, { ETag: `"${md5}"`, 'Content-Length': body.length });
    response.write(body.subarray(0, 40_000), () => response.destroy());
  }],
  ['a body without a length that ends early', (_request, response) => {
    response.writeHead(200, { ETag: `"${md5}"` }).end(body.subarray(0, 40_000));
  }],
  ['a shorter length that is kept', (_request, response) => {
    response.writeHead(200, { ETag: `"${md5}"`, 'Content-Length': 40_000 }).end(body.subarray(0, 40_000));
  }],
  ['more bytes than were discovered', (_request, response) => {
    response.writeHead(200, { ETag: `"${md5}"` }).end(Buffer.concat([body, body]));
  }],
  ['one byte that differs', (_request, response) => {
    const other = Buffer.from(body);
    other[5_000] = 0x79;
    response.writeHead(200, { ETag: `"${md5}"`, 'Content-Length': other.length }).end(other);
  }],
  ['one byte that differs, of an object with a checksum that the SDK checks', (_request, response) => {
    const other = Buffer.from(body);
    other[5_000] = 0x79;
    const checksum = Buffer.alloc(4);
    checksum.writeUInt32BE(crc32(body));
    response.writeHead(200, { ETag: `"${md5}"`, 'x-amz-checksum-crc32': checksum.toString('base64'), 'Content-Length': other.length }).end(other);
  }],
  ['a body that stalls', (_request, response) => {
    response.writeHead(200, { ETag: `"${md5}"`, 'Content-Length': body.length });
    response.write(body.subarray(0, 40_000));
  }],
];

test.each(DAMAGES)('%s is damage, and worth a retry', async (_what, listener) => {
  answer = listener;
  const failure = { type: FailureType.ObjectDamaged, nonRetryable: false };
  await expect(downloadObject(s3, pinned, path(), { idleTimeoutMs: 300 })).rejects.toMatchObject(failure);
});

test('a reader of the stream never sees a damaged body end well', async () => {
  const [, listener = () => {}] = DAMAGES[2] ?? [];
  answer = listener;
  const consume = async () => {
    for await (const _bytes of await openObject(s3, pinned)) void _bytes;
  };
  await expect(consume()).rejects.toMatchObject({ type: FailureType.ObjectDamaged });
});

test('a reader that takes longer than the idle time-out between blocks is not taken for a stalled source', async () => {
  const large = Buffer.alloc(2_000_000, 'x');
  answer = (_request, response) => void response.writeHead(200, { ETag: '"none"', 'Content-Length': large.length }).end(large);
  let sizeBytes = 0;
  for await (const block of await openObject(s3, { ...pinned, etag: '"none"', sizeBytes: large.length }, { idleTimeoutMs: 40 })) {
    if (sizeBytes === 0) await new Promise((resolve) => setTimeout(resolve, 300));
    sizeBytes += (block as Buffer).length;
  }
  expect(sizeBytes).toBe(large.length);
});

test('an ETag that is no MD5, of a multipart upload or under a KMS key, is held to its length only', async () => {
  for (const headers of [{ ETag: '"0123456789abcdef0123456789abcdef-2"' }, { ETag: `"${'0'.repeat(32)}"`, 'x-amz-server-side-encryption': 'aws:kms' }]) {
    answer = (_request, response) => void response.writeHead(200, { ...headers, 'Content-Length': body.length }).end(body);
    await downloadObject(s3, { ...pinned, etag: headers.ETag }, path());
    expect(await readFile(path())).toEqual(body);
  }
});

test.each([
  [404, 'NoSuchKey'],
  [404, 'NoSuchVersion'],
  [412, 'PreconditionFailed'],
])('an answer %d %s means that the version is gone, for good', async (status, code) => {
  answer = (_request, response) =>
    void response.writeHead(status, { 'Content-Type': 'application/xml' }).end(`<Error><Code>${code}</Code><Message>no</Message></Error>`);
  await expect(downloadObject(s3, pinned, path())).rejects.toMatchObject({ type: FailureType.ObjectVanished, nonRetryable: true });
});

test('a cancellation ends a download that stalls', async () => {
  const [, listener = () => {}] = DAMAGES.at(-1) ?? [];
  const controller = new AbortController();
  answer = (request, response) => {
    listener(request, response);
    setTimeout(() => controller.abort(), 50);
  };
  await expect(downloadObject(s3, pinned, path(), { signal: controller.signal })).rejects.toThrow(/abort/i);
});

test('listings that S3 URL-encodes are decoded, page by page; the emulator does not encode', async () => {
  const markers: (string | null)[] = [];
  answer = (request, response) => {
    const query = new URL(request.url ?? '', 'http://localhost').searchParams;
    markers.push(query.get('key-marker'));
    const first = query.get('key-marker') === null;
    const version = (key: string) =>
      `<Version><Key>${key}</Key><VersionId>v</VersionId><IsLatest>true</IsLatest><ETag>"e"</ETag><Size>1</Size></Version>`;
    response.writeHead(200, { 'Content-Type': 'application/xml' }).end(
      `<ListVersionsResult><EncodingType>url</EncodingType><IsTruncated>${first}</IsTruncated>` +
        (first ? '<NextKeyMarker>p/a+b%2B</NextKeyMarker><NextVersionIdMarker>v</NextVersionIdMarker>' : '') +
        `${first ? version('p/a+b%2B') : version('p/%252F%0A%F0%9F%9A%80')}</ListVersionsResult>`,
    );
  };
  const found = (await Readable.from(currentVersionPages(s3, 'raw', 'p/', new AbortController().signal)).flatMap((page: RawObject[]) => page).toArray()) as readonly RawObject[];
  expect(found.map(({ key }) => key)).toEqual(['p/a b+', 'p/%2F\n🚀']);
  expect(markers).toEqual([null, 'p/a b+']);
});
