import type { QuarantineReason } from '../../../domain/documents';
import type { PipelineSpec } from '../../../domain/pipeline-spec';
import { mobileGeolocation } from '../../../pipelines/mobile-geolocation';

/** What a record comes to. */
export type Verdict = 'stored' | QuarantineReason;

/** Values that a stored record must have; the other columns are not looked at. */
export interface StoredValues {
  readonly event_time?: number;
  readonly longitude?: number;
  readonly latitude?: number;
  readonly device_id?: string | null;
  readonly speed?: number | null;
  readonly altitude?: number | null;
  /** As text, since it may be beyond what a double tells apart. */
  readonly big?: string | null;
  readonly flag?: boolean | null;
  readonly seen_at?: number | null;
}

/** What must become of an object, as the specification has it. */
export interface Expected {
  readonly read: number;
  readonly stored: number;
  readonly duplicates?: number;
  readonly quarantined: Partial<Record<QuarantineReason, number>>;
  /** Lines in quarantine, ascending; not looked at when absent. */
  readonly lines?: readonly number[];
  /** Of one stored line. */
  readonly row?: { readonly line: number; readonly values: StoredValues };
}

/** One bad, or at least strange, input: an object as it lies in the raw bucket. */
export interface PoisonEntry {
  /** What is attacked; unique in the corpus. */
  readonly name: string;
  /** What its name ends in; a whole key where it begins with `key:`. */
  readonly key?: string;
  readonly body: Buffer | (() => Promise<Buffer>);
  /** `undiscovered`: no cycle of this interval may take it. */
  readonly expected: Expected | 'undiscovered';
}

/** Arrival hour of all entries that do not say another. */
export const HOUR = '2018-08-01T13';
export const HOUR_MS = Date.parse('2018-08-01T13:00:00Z');
/** Of the test: entries that are about size are cut for them. */
export const LIMITS = { maxLineBytes: 1024 ** 2, maxObjectBytes: 12 * 1024 ** 2 };

/** The mobile pipeline with a field of every type. */
export const POISON_SPEC: PipelineSpec = {
  ...mobileGeolocation,
  record: {
    ...mobileGeolocation.record,
    fields: [
      ...mobileGeolocation.record.fields,
      { name: 'big', source: 'big', type: 'bigint' },
      { name: 'flag', source: 'flag', type: 'boolean' },
      { name: 'seen_at', source: 'seen', type: 'timestamp-ms' },
    ],
  },
};

let serial = 0;

/** `$t`, `$x` and `$y` become an event time, longitude and latitude that no other record of the corpus has. */
export function fill(template: string): string {
  serial += 1;
  const t = String(HOUR_MS + serial);
  return template.replaceAll('$t', t).replaceAll('$x', (8 + serial / 100_000).toFixed(5)).replaceAll('$y', '47.25');
}

/** A line that is stored wherever it stands. */
export function sound(): string {
  return fill('{"timestamp":$t,"longitude":$x,"latitude":$y,"icao24":"abc"}');
}

/** An object of one line, a template for `fill` or bytes, between two sound ones. */
export function line(name: string, text: string | Buffer, verdict: Verdict, values?: StoredValues): PoisonEntry {
  const middle = typeof text === 'string' ? Buffer.from(fill(text)) : text;
  return {
    name,
    body: Buffer.concat([Buffer.from(`${sound()}\n`), middle, Buffer.from(`\n${sound()}\n`)]),
    expected: {
      read: 3,
      stored: verdict === 'stored' ? 3 : 2,
      quarantined: verdict === 'stored' ? {} : { [verdict]: 1 },
      lines: verdict === 'stored' ? [] : [2],
      ...(values === undefined ? {} : { row: { line: 2, values } }),
    },
  };
}

/** `line` with the value of one member of a sound record replaced: `member('longitude', '"8.5"')`. */
export function member(name: string, source: Source, token: string, verdict: Verdict, values?: StoredValues): PoisonEntry {
  const members = { timestamp: '$t', longitude: '$x', latitude: '$y', [source]: token };
  return line(name, `{${Object.entries(members).map(([key, value]) => `"${key}":${value}`).join(',')}}`, verdict, values);
}
type Source = 'timestamp' | 'longitude' | 'latitude' | 'icao24' | 'groundspeed' | 'altitude' | 'big' | 'flag' | 'seen';

/** A whole object. */
export function object(name: string, body: PoisonEntry['body'] | string, expected: Expected, key?: string): PoisonEntry {
  return { name, body: typeof body === 'string' ? Buffer.from(body) : body, expected, ...(key === undefined ? {} : { key }) };
}

/** Expected of an object that is quarantined as a whole. */
export const UNREADABLE: Expected = { read: 1, stored: 0, quarantined: { unreadable_object: 1 }, lines: [0] };
export const NOTHING: Expected = { read: 0, stored: 0, quarantined: {}, lines: [] };

/** Expected of `count` records that are all stored. */
export function allStored(count: number): Expected {
  return { read: count, stored: count, quarantined: {}, lines: [] };
}

/** Expected of bytes that are no JSON at all: every piece between line feeds that is not blank is a bad line. */
export function allBadLines(body: Buffer): Expected {
  const pieces = body.toString('latin1').split('\n');
  const numbers = pieces.flatMap((piece, index) => (/^[ \t\r]*$/.test(piece) ? [] : [index + 1]));
  return { read: numbers.length, stored: 0, quarantined: numbers.length === 0 ? {} : { bad_line: numbers.length }, lines: numbers };
}
