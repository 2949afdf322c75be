/**
 * Of S3 what discovery asks: listings below a prefix, of versions page by page, and small documents by key. A million objects exist
 * only as their numbers, which no emulator holds; every listing waits as long as S3's first byte takes. In a process of its own.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { taskOfChild, tell } from './child';

export interface ListingTask {
  /** Prefixes, each ending in `/`, in order; objects are dealt to them evenly. */
  readonly hours: readonly string[];
  readonly objects: number;
  readonly sizeBytes: number;
  readonly latencyMs: number;
}

export interface ListingReady {
  readonly port: number;
}

/** What it was asked so far. */
export interface ListingAsked {
  readonly listings: number;
  readonly mostAtOnce: number;
}

const PAGE = 1_000; // S3's own
const task = taskOfChild<ListingTask>();
const perHour = Math.ceil(task.objects / task.hours.length);
const documents = new Map<string, Buffer>();
let listings = 0;
let underWay = 0;
let mostAtOnce = 0;

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    response.writeHead(500).end(String(error));
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => tell({ port: (server.address() as AddressInfo).port } satisfies ListingReady));
process.on('message', () => tell({ listings, mostAtOnce } satisfies ListingAsked));

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://s3');
  const isListing = request.method === 'GET' && (url.searchParams.has('versions') || url.searchParams.has('list-type'));
  if (!isListing) return document(request, url.pathname, response);
  listings += 1;
  underWay += 1;
  mostAtOnce = Math.max(mostAtOnce, underWay);
  await sleep(task.latencyMs);
  const body = url.searchParams.has('versions') ? versionsPage(url.searchParams) : prefixesBelow(url.searchParams.get('prefix') ?? '');
  underWay -= 1;
  response.writeHead(200, { 'content-type': 'application/xml' }).end(`<?xml version="1.0" encoding="UTF-8"?>${body}`);
}

/** Documents that the product writes once and reads. */
async function document(request: IncomingMessage, path: string, response: ServerResponse): Promise<void> {
  if (request.method === 'PUT') {
    const body = await buffer(request);
    const isThere = documents.has(path) && request.headers['if-none-match'] === '*';
    if (!isThere) documents.set(path, body);
    response.writeHead(isThere ? 412 : 200, { etag: '"0"' }).end();
    return;
  }
  const found = documents.get(path);
  if (found !== undefined) response.writeHead(200, { 'content-type': 'application/json', 'content-length': found.length }).end(found);
  else response.writeHead(404, { 'content-type': 'application/xml' }).end('<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>');
}

function prefixesBelow(prefix: string): string {
  const found = task.hours.filter((hour) => hour.startsWith(prefix));
  return `<ListBucketResult><IsTruncated>false</IsTruncated><EncodingType>url</EncodingType>${found.map((hour) => `<CommonPrefixes><Prefix>${hour}</Prefix></CommonPrefixes>`).join('')}</ListBucketResult>`;
}

function versionsPage(query: URLSearchParams): string {
  const hour = task.hours.indexOf(query.get('prefix') ?? '');
  const count = hour < 0 ? 0 : Math.min(perHour, task.objects - hour * perHour);
  const after = /part-(\d+)-/.exec(query.get('key-marker') ?? '');
  const from = after === null ? 0 : Number(after[1]) + 1;
  const to = Math.min(count, from + PAGE);
  const versions = Array.from({ length: Math.max(0, to - from) }, (_, index) => version(task.hours[hour] ?? '', from + index));
  const isTruncated = to < count;
  const next = isTruncated ? `<NextKeyMarker>${keyOf(task.hours[hour] ?? '', to - 1)}</NextKeyMarker><NextVersionIdMarker>${versionOf(to - 1)}</NextVersionIdMarker>` : '';
  return `<ListVersionsResult><IsTruncated>${isTruncated}</IsTruncated>${next}<EncodingType>url</EncodingType>${versions.join('')}</ListVersionsResult>`;
}

function version(hour: string, index: number): string {
  return (
    `<Version><ETag>&quot;${String(index).padStart(32, '0')}&quot;</ETag><Size>${task.sizeBytes}</Size><StorageClass>STANDARD</StorageClass><Key>${keyOf(hour, index)}</Key>` +
    `<VersionId>${versionOf(index)}</VersionId><IsLatest>true</IsLatest><LastModified>2018-08-01T00:00:00.000Z</LastModified></Version>`
  );
}

/** As long as Firehose's names are. */
function keyOf(hour: string, index: number): string {
  return `${hour}mobile-positions-1-part-${String(index).padStart(7, '0')}-9f1c2d3e-4b5a-6978-8a9b-0c1d2e3f4a5b.json.gz`;
}

function versionOf(index: number): string {
  return String(index).padStart(32, 'v');
}
