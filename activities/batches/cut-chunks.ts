import { ApplicationFailure } from '@temporalio/common';
import type { RawObject } from '../../domain/documents';
import { FailureType } from '../../domain/failure-type';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { DAY_MS, eventWindowMs } from './arrival-hours';

/** One transaction commits a chunk: its item, the fence, the void marker and a log entry a date, at most 100 items. */
const MAX_EVENT_DATES = 90;

/**
 * Cuts sorted objects into chunks of at least `chunkBytes`; what is left over at the end goes to the last one, since a small
 * chunk costs as many write units as a large one.
 * @throws `InvalidPipeline`, not retryable, when one object alone could touch more event dates than a transaction holds
 */
export function cutChunks(
  spec: PipelineSpec,
  objects: readonly RawObject[],
): readonly { readonly from: number; readonly to: number }[] {
  const chunks: { from: number; to: number; sizeBytes: number }[] = [];
  objects.forEach((object, index) => {
    const last = chunks.at(-1);
    const first = last === undefined ? undefined : objects[last.from];
    if (
      last === undefined ||
      first === undefined ||
      last.sizeBytes >= spec.dedup.chunkBytes ||
      datesBetween(spec, first, object) > MAX_EVENT_DATES
    ) {
      refuseTooManyDates(spec, object);
      chunks.push({ from: index, to: index + 1, sizeBytes: object.sizeBytes });
    } else {
      last.to = index + 1;
      last.sizeBytes += object.sizeBytes;
    }
  });
  return mergeRemainder(spec, objects, chunks).map(({ from, to }) => ({ from, to }));
}

function mergeRemainder<T extends { from: number; to: number; sizeBytes: number }>(
  spec: PipelineSpec,
  objects: readonly RawObject[],
  chunks: readonly T[],
): readonly { from: number; to: number }[] {
  const [before, last] = [chunks.at(-2), chunks.at(-1)];
  if (before === undefined || last === undefined || last.sizeBytes >= spec.dedup.chunkBytes) return chunks;
  const [first, final] = [objects[before.from], objects[last.to - 1]];
  if (first === undefined || final === undefined || datesBetween(spec, first, final) > MAX_EVENT_DATES) return chunks;
  return [...chunks.slice(0, -2), { from: before.from, to: last.to }];
}

/** Event dates that records of two objects and all between them can have; sorted by key is sorted by arrival. */
function datesBetween(spec: PipelineSpec, first: RawObject, last: RawObject): number {
  const from = Math.floor(eventWindowMs(spec, first.arrivalHour).from / DAY_MS);
  return Math.floor((eventWindowMs(spec, last.arrivalHour).to - 1) / DAY_MS) - from + 1;
}

function refuseTooManyDates(spec: PipelineSpec, object: RawObject): void {
  const dates = datesBetween(spec, object, object);
  if (dates <= MAX_EVENT_DATES) return;
  throw ApplicationFailure.nonRetryable(
    `Pipeline "${spec.name}" accepts records of ${dates} event dates in one object: at most ${MAX_EVENT_DATES} can be committed ` +
      `together. Lower dedup.latenessDays, found ${spec.dedup.latenessDays}`,
    FailureType.InvalidPipeline,
  );
}
