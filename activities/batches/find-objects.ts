import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { S3Client } from '@aws-sdk/client-s3';
import { Context } from '@temporalio/activity';
import type { DataInterval } from '../../domain/data-interval';
import type { RawObject } from '../../domain/documents';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { forEachParallel } from '../for-each-parallel';
import { arrivalDays, arrivalHourOf, dayPrefix } from './arrival-hours';
import { listCurrentVersions, listPrefixes } from './list-versions';
import { objectSortKey, settledObjects } from './objects-table';

export interface FindDependencies {
  readonly s3: S3Client;
  readonly dynamodb: DynamoDBClient;
  readonly buckets: { readonly raw: string };
  readonly objectsTable: string;
}

const LISTINGS_AT_ONCE = 8; // far below S3's 5,500 reads a second per prefix

/**
 * Object versions that arrived in the interval, and earlier ones within the lateness, that are neither loaded nor set aside, in the
 * byte order of their keys. Heartbeats as it lists.
 */
export async function findObjects(
  deps: FindDependencies,
  spec: Pick<PipelineSpec, 'dataset' | 'raw' | 'dedup'>,
  interval: DataInterval,
): Promise<readonly RawObject[]> {
  const context = Context.current();
  const { cancellationSignal: signal } = context;
  const hours: { readonly arrivalHour: string; readonly prefix: string }[] = [];
  await forEachParallel(arrivalDays(spec, interval), LISTINGS_AT_ONCE, async (day) => {
    for (const prefix of await listPrefixes(deps.s3, deps.buckets.raw, dayPrefix(spec, day), signal)) {
      const arrivalHour = arrivalHourOf(spec, interval, day, prefix);
      if (arrivalHour !== undefined) hours.push({ arrivalHour, prefix });
    }
  });

  const found: RawObject[] = [];
  await forEachParallel(hours, LISTINGS_AT_ONCE, async ({ arrivalHour, prefix }) => {
    const listed = await listCurrentVersions(deps.s3, deps.buckets.raw, prefix, signal);
    const settled = await settledObjects(deps.dynamodb, deps.objectsTable, spec.dataset, arrivalHour, signal);
    found.push(...listed.filter((object) => !settled.has(objectSortKey(object))).map((object) => ({ ...object, arrivalHour })));
    context.heartbeat({ hours: hours.length, objects: found.length });
  });
  return sortByKeyBytes(found);
}

/** UTF-8 byte order, as S3 lists; JavaScript's own order of strings differs beyond the Basic Multilingual Plane. */
function sortByKeyBytes(objects: readonly RawObject[]): readonly RawObject[] {
  return objects
    .map((object) => ({ object, bytes: Buffer.from(`${object.key}\0${object.versionId}`) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
    .map(({ object }) => object);
}
