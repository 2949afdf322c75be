import { gzipSync } from 'node:zlib';

/** An object as a device's gateway delivers it. */
export interface DeliveredObject {
  readonly key: string;
  readonly body: Buffer;
}

/** Where the demo's pipeline looks for raw objects. */
export const RAW_PREFIX = 'mobile-geolocation/';

/** `mobile-geolocation/2018/08/01/06/<name>`: the hour in which the object arrived, as Firehose writes it. */
export function arrivedAt(hour: Date, name: string): string {
  const iso = hour.toISOString();
  return `${RAW_PREFIX}${iso.slice(0, 4)}/${iso.slice(5, 7)}/${iso.slice(8, 10)}/${iso.slice(11, 13)}/${name}`;
}

/** Gzipped JSON lines. The bytes depend on the records alone: Node writes no modification time into the gzip header. */
export function jsonLines(records: readonly unknown[]): Buffer {
  return gzipSync(Buffer.from(records.map((record) => `${JSON.stringify(record)}\n`).join(''), 'utf8'));
}

/** Slices of at most `size`, in order. */
export function batchesOf<T>(records: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(records.length / size) }, (_, index) => records.slice(index * size, (index + 1) * size));
}
