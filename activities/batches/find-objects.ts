import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { S3Client } from '@aws-sdk/client-s3';
import { Context } from '@temporalio/activity';
import type { DataInterval } from '../../domain/data-interval';
import type { RawObject } from '../../domain/documents';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { forEachParallel } from '../for-each-parallel';
import { inOrder } from '../in-order';
import { arrivalDays, arrivalHourOf, dayPrefix } from './arrival-hours';
import { compareKeyBytes, currentVersionPages, listPrefixes } from './list-versions';
import { objectSortKey, settledObjects } from './objects-table';

export interface FindDependencies {
  readonly s3: S3Client;
  readonly dynamodb: DynamoDBClient;
  readonly buckets: { readonly raw: string };
  readonly objectsTable: string;
}

const LISTINGS_AT_ONCE = 8; // far below S3's 5,500 reads a second per prefix
/** Of a thousand objects each: with eight hours at once some 30 MB wait for their turn at most. */
const PAGES_AHEAD = 8;

interface ArrivalHour {
  readonly arrivalHour: string;
  readonly prefix: string;
}

/**
 * Object versions that arrived in the interval, and earlier ones within the lateness, that are neither loaded nor set aside: a page
 * at a time, in the byte order of their keys. However many there are, only some pages are in memory. Heartbeats as it lists.
 * @param after - only keys behind this one
 */
export async function* findObjects(
  deps: FindDependencies,
  spec: Pick<PipelineSpec, 'dataset' | 'raw' | 'dedup'>,
  interval: DataInterval,
  after = '',
): AsyncGenerator<readonly RawObject[]> {
  const context = Context.current();
  const hours = await arrivalHours(deps, spec, interval, context.cancellationSignal);
  const left = hours.filter(({ prefix }) => after.startsWith(prefix) || compareKeyBytes(prefix, after) > 0);
  const sources = left.map((hour) => () => unsettledPages(deps, spec, hour, after.startsWith(hour.prefix) ? after : undefined));
  let objects = 0;
  for await (const page of inOrder(sources, { atOnce: LISTINGS_AT_ONCE, ahead: PAGES_AHEAD })) {
    objects += page.length;
    context.heartbeat({ hours: left.length, objects });
    yield page;
  }
}

/** The hours that something arrived in, in the byte order of their prefixes. */
async function arrivalHours(deps: FindDependencies, spec: Pick<PipelineSpec, 'raw' | 'dedup'>, interval: DataInterval, signal: AbortSignal): Promise<readonly ArrivalHour[]> {
  const hours: ArrivalHour[] = [];
  await forEachParallel(arrivalDays(spec, interval), LISTINGS_AT_ONCE, async (day) => {
    for (const prefix of await listPrefixes(deps.s3, deps.buckets.raw, dayPrefix(spec, day), signal)) {
      const arrivalHour = arrivalHourOf(spec, interval, day, prefix);
      if (arrivalHour !== undefined) hours.push({ arrivalHour, prefix });
    }
  });
  return hours.sort((a, b) => compareKeyBytes(a.prefix, b.prefix));
}

async function* unsettledPages(deps: FindDependencies, spec: Pick<PipelineSpec, 'dataset'>, { arrivalHour, prefix }: ArrivalHour, after: string | undefined): AsyncGenerator<readonly RawObject[]> {
  const context = Context.current();
  const settled = await settledObjects(deps.dynamodb, deps.objectsTable, spec.dataset, arrivalHour, context.cancellationSignal);
  for await (const page of currentVersionPages(deps.s3, deps.buckets.raw, prefix, context.cancellationSignal, after)) {
    context.heartbeat({ arrivalHour }); // an hour of nothing but settled objects gives nothing for long
    const found = page.flatMap((object) => (settled.has(objectSortKey(object)) ? [] : [{ ...object, arrivalHour }]));
    if (found.length > 0) yield found;
  }
}
