import { GetObjectCommand } from '@aws-sdk/client-s3';
import { liveStorageFiles } from '../../activities/ledger';
import type { ChunkDocument, RecordCounts } from '../../domain/documents';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import type { Deps } from '../dedup/support/ledger-stack';
import { keysIn, readParquet } from '../dedup/support/nights';
import { type QuarantineRow, quarantineRows } from '../dedup/support/quarantine';
import type { StoredValues } from './corpus/entry';

/** What the dedup made of a raw bucket, by object key, read from what it left behind. */
export interface Observed {
  /** Absent: no chunk took the object. */
  readonly counts: ReadonlyMap<string, RecordCounts>;
  readonly quarantined: ReadonlyMap<string, readonly QuarantineRow[]>;
  /** By line. */
  readonly stored: ReadonlyMap<string, ReadonlyMap<number, StoredValues>>;
}

export async function observe(deps: Deps, spec: PipelineSpec): Promise<Observed> {
  const counts = new Map<string, RecordCounts>();
  for (const key of (await keysIn(deps, 'artifacts', 'cycles/')).filter((each) => each.includes('/chunks/'))) {
    const { Body } = await deps.s3.send(new GetObjectCommand({ Bucket: deps.buckets.artifacts, Key: key }));
    const document = JSON.parse((await Body?.transformToString()) ?? '') as ChunkDocument;
    for (const object of document.objects) counts.set(object.key, object.counts);
  }
  const quarantined = new Map<string, QuarantineRow[]>();
  for (const row of await quarantineRows(deps)) quarantined.set(row.object, [...(quarantined.get(row.object) ?? []), row]);
  return { counts, quarantined, stored: await storedValues(deps, spec) };
}

async function storedValues(deps: Deps, spec: PipelineSpec): Promise<ReadonlyMap<string, ReadonlyMap<number, StoredValues>>> {
  const files = await liveStorageFiles(deps, { dataset: spec.dataset });
  const rows = await readParquet(
    deps,
    files.map((file) => file.key),
    'raw_object, raw_line, epoch_ms(event_time), longitude, latitude, device_id, speed, altitude, big::varchar, flag, epoch_ms(seen_at)',
  );
  const stored = new Map<string, Map<number, StoredValues>>();
  for (const [object, line, time, longitude, latitude, device, speed, altitude, big, flag, seen] of rows) {
    const key = object as string;
    const lines = stored.get(key) ?? new Map<number, StoredValues>();
    stored.set(key, lines);
    lines.set(Number(line), {
      event_time: Number(time),
      longitude: Number(longitude),
      latitude: Number(latitude),
      device_id: device as string | null,
      speed: speed as number | null,
      altitude: altitude as number | null,
      big: big as string | null,
      flag: flag as boolean | null,
      seen_at: seen === null ? null : Number(seen),
    });
  }
  return stored;
}
