import { gunzipSync } from 'node:zlib';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import type { Deps } from './ledger-stack';
import { keysIn } from './nights';

/** One record in quarantine, as its file holds it. */
export interface QuarantineRow {
  readonly reason: string;
  readonly detail: string;
  readonly object: string;
  readonly version: string;
  readonly line: number;
  readonly raw: string;
}

/** All that is in quarantine, in the order of the files. */
export async function quarantineRows(deps: Deps): Promise<readonly QuarantineRow[]> {
  const rows: QuarantineRow[] = [];
  for (const Key of await keysIn(deps, 'quarantine')) {
    const { Body } = await deps.s3.send(new GetObjectCommand({ Bucket: deps.buckets.quarantine, Key }));
    const text = gunzipSync((await Body?.transformToByteArray()) ?? '').toString();
    rows.push(...text.split('\n').filter(Boolean).map((line) => JSON.parse(line) as QuarantineRow));
  }
  return rows;
}
