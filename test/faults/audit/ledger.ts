import { type AttributeValue, paginateQuery } from '@aws-sdk/client-dynamodb';
import { compactInstant } from '../../../domain/data-interval';
import { nameOf } from './record';
import type { AuditSubject } from './subject';

/** A chunk as its item in the ledger table says. */
export interface ChunkEntry {
  /** `2024-01-02T00:00:00Z generation 1 chunk 0`. */
  readonly name: string;
  readonly generation: string;
  readonly chunk: number;
  readonly state: string;
  readonly attempt: string;
  /** A Spark run's chunk has no segments: what compares with it reads its storage. */
  readonly hasSegments: boolean;
  readonly documentKey: string;
  /** Records stored of each event date. */
  readonly dates: Readonly<Record<string, number>>;
}

/** An attempt that said which files it would write, and whose item is still there. */
export interface Announcement {
  readonly sortKey: string;
  readonly attempt: string;
  readonly chunk: number;
  readonly dates: readonly string[];
}

/** One event date's commit log, and the fingerprints that its segments hold, in hexadecimal. */
export interface DateLedger {
  readonly entries: readonly { readonly sequence: number; readonly kind: string; readonly attempt: string; readonly count: number; readonly ttl: number }[];
  readonly segments: ReadonlyMap<string, readonly string[]>;
}

/** Whether an item of the objects table says that a version of a raw object is settled, and by whom. */
export interface ObjectMark {
  readonly key: string;
  readonly versionId: string;
  readonly state: string;
  /** The generation's prefix, as `domain/cycle` makes it. */
  readonly generation: string;
}

export interface Ledger {
  readonly chunks: readonly ChunkEntry[];
  /** Sort key prefixes of generations that may commit nothing more. */
  readonly voidMarkers: readonly string[];
  readonly announcements: readonly Announcement[];
  readonly fenceEpoch: number | undefined;
}

type Item = Readonly<Record<string, AttributeValue>>;

const FINGERPRINT_BYTES = 16;

/** Walks the ledger table's own partitions of the dataset. */
export async function readLedger(subject: AuditSubject): Promise<Ledger> {
  const { dataset } = subject.spec;
  const chunkItems = await partition(subject, subject.access.names.ledgerTable, `${dataset}#chunks`);
  const attempts = await partition(subject, subject.access.names.ledgerTable, `${dataset}#attempts`);
  const fence = await partition(subject, subject.access.names.ledgerTable, `${dataset}#fence`);
  return {
    chunks: chunkItems.filter((item) => item.chunk !== undefined).map(chunkOf),
    voidMarkers: chunkItems.filter((item) => item.chunk === undefined).map((item) => (item.sk?.S ?? '').replace(/void$/, '')),
    announcements: attempts.map((item) => ({
      sortKey: item.sk?.S ?? '',
      attempt: item.sk?.S?.split('#').at(-1) ?? '',
      chunk: Number(item.chunk?.N),
      dates: (item.dates?.SS ?? []).filter((date) => date !== '-'),
    })),
    fenceEpoch: fence[0]?.epoch?.N === undefined ? undefined : Number(fence[0].epoch.N),
  };
}

export async function readDateLedger(subject: AuditSubject, eventDate: string): Promise<DateLedger> {
  const pk = `${subject.spec.dataset}#${eventDate}`;
  const items = await partition(subject, subject.access.names.ledgerTable, pk);
  const entries = items
    .filter((item) => item.sk?.S?.startsWith('log#'))
    .map((item) => ({
      sequence: Number(item.sk?.S?.slice('log#'.length)),
      kind: item.kind?.S ?? '',
      attempt: item.attempt?.S ?? '',
      count: Number(item.count?.N),
      ttl: Number(item.ttl?.N),
    }));
  const segments = new Map<string, readonly string[]>();
  for (const { kind, attempt } of entries) {
    if (kind === 'chunk') segments.set(attempt, await fingerprintsBelow(subject, `${pk}#${attempt}`));
  }
  return { entries, segments };
}

/** Of an attempt's segments on a date, from the first to where one is missing. */
async function fingerprintsBelow(subject: AuditSubject, prefix: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (let index = 0; ; index += 1) {
    const [item] = await partition(subject, subject.access.names.ledgerTable, `${prefix}#${String(index).padStart(6, '0')}`);
    if (item === undefined) return found;
    const bytes = Buffer.from(item.fingerprints?.B ?? []);
    for (let at = 0; at < bytes.length; at += FINGERPRINT_BYTES) found.push(bytes.subarray(at, at + FINGERPRINT_BYTES).toString('hex'));
  }
}

/** Marks of every arrival hour that one of the nights' raw keys names. */
export async function readObjectMarks(subject: AuditSubject): Promise<readonly ObjectMark[]> {
  const hours = new Set(subject.nights.flatMap((night) => night.uploads.map((upload) => arrivalHour(upload.key))));
  const marks: ObjectMark[] = [];
  for (const hour of hours) {
    for (const item of await partition(subject, subject.access.names.objectsTable, `${subject.spec.dataset}#${hour}`)) {
      marks.push({
        key: item.objectKey?.S ?? '',
        versionId: item.versionId?.S ?? '',
        state: item.state?.S ?? '',
        generation: item.generation?.S ?? '',
      });
    }
  }
  return marks;
}

/** `20240102T000000Z#c1#g0001#`: what the sort keys of one generation's items begin with. */
export function sortPrefix(cycle: { readonly pipeline: string; readonly intervalEnd: string; readonly generation: number }): string {
  return `${compactInstant(cycle.intervalEnd)}#${cycle.pipeline}#g${String(cycle.generation).padStart(4, '0')}#`;
}

/** `2024-01-01T05:00:00Z` of `c1/2024/01/01/05/gateway 0+1.json`. */
function arrivalHour(key: string): string {
  const [, year, month, day, hour] = /(\d{4})\/(\d{2})\/(\d{2})\/(\d{2})\//.exec(key) ?? [];
  return `${year}-${month}-${day}T${hour}:00:00Z`;
}

function chunkOf(item: Item): ChunkEntry {
  const generation = nameOf(item.intervalEnd?.S ?? '', Number(item.generation?.N));
  return {
    name: `${generation} chunk ${item.chunk?.N}`,
    generation,
    chunk: Number(item.chunk?.N),
    state: item.state?.S ?? '',
    attempt: item.attempt?.S ?? '',
    hasSegments: item.engine?.S !== 'spark',
    documentKey: item.documentKey?.S ?? '',
    dates: Object.fromEntries(Object.entries(item.dates?.M ?? {}).map(([date, count]) => [date, Number(count.N)])),
  };
}

async function partition({ access: { dynamodb } }: AuditSubject, TableName: string, pk: string): Promise<readonly Item[]> {
  const items: Item[] = [];
  const pages = paginateQuery(
    { client: dynamodb },
    { TableName, KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': { S: pk } }, ConsistentRead: true },
  );
  for await (const page of pages) items.push(...(page.Items ?? []));
  return items;
}
