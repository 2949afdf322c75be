import { ApplicationFailure } from '@temporalio/common';
import type { RawObject } from '../../domain/documents';
import { FailureType } from '../../domain/failure-type';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { DAY_MS, eventWindowMs } from './arrival-hours';

/** One transaction commits a chunk: its item, the fence, the void marker and a log entry a date, at most 100 items. */
const MAX_EVENT_DATES = 90;
/** A Spark run's document names each of its objects: some 3 MB, whatever `chunkBytes` allows. */
const MOST_OBJECTS_A_RUN = 10_000;

/** Sorted objects and the chunks that they are cut into: chunk i is `objects.slice(chunks[i].from, chunks[i].to)`. */
export interface CutObjects {
  readonly objects: readonly RawObject[];
  readonly chunks: readonly { readonly from: number; readonly to: number }[];
}

interface OpenChunk {
  from: number;
  to: number;
  sizeBytes: number;
}

/**
 * Cuts objects, as they come in their order, into chunks of at least `chunkBytes`; what is left over at the end goes to the last
 * one, since a small chunk costs as many write units as a large one.
 */
export class ChunkCutter {
  private objects: RawObject[] = [];
  private chunks: OpenChunk[] = [];

  constructor(private readonly spec: PipelineSpec) {}

  /** @throws `InvalidPipeline`, not retryable, when one object alone could touch more event dates than a transaction holds */
  add(objects: readonly RawObject[]): void {
    for (const object of objects) this.addOne(object);
  }

  private addOne(object: RawObject): void {
    const index = this.objects.push(object) - 1;
    const last = this.chunks.at(-1);
    const first = last === undefined ? undefined : this.objects[last.from];
    if (
      last === undefined ||
      first === undefined ||
      last.sizeBytes >= this.spec.dedup.chunkBytes ||
      (this.spec.dedup.engine === 'spark' && last.to - last.from >= MOST_OBJECTS_A_RUN) ||
      datesBetween(this.spec, first, object) > MAX_EVENT_DATES
    ) {
      refuseTooManyDates(this.spec, object);
      this.chunks.push({ from: index, to: index + 1, sizeBytes: object.sizeBytes });
    } else {
      last.to = index + 1;
      last.sizeBytes += object.sizeBytes;
    }
  }

  /** Takes out the chunks that nothing to come can change, once they hold `atLeast` objects: the last two may still become one. */
  takeSettled(atLeast: number): CutObjects | undefined {
    const open = this.chunks.at(-2);
    if (open === undefined || open.from < atLeast) return undefined;
    const settled = { objects: this.objects.slice(0, open.from), chunks: this.chunks.slice(0, -2).map(({ from, to }) => ({ from, to })) };
    this.objects = this.objects.slice(open.from);
    this.chunks = this.chunks.slice(-2).map(({ from, to, sizeBytes }) => ({ from: from - open.from, to: to - open.from, sizeBytes }));
    return settled;
  }

  /** All that is left, once nothing is to come. */
  rest(): CutObjects {
    const chunks = mergeRemainder(this.spec, this.objects, this.chunks);
    return { objects: this.objects, chunks: chunks.map(({ from, to }) => ({ from, to })) };
  }
}

function mergeRemainder(spec: PipelineSpec, objects: readonly RawObject[], chunks: readonly OpenChunk[]): readonly { readonly from: number; readonly to: number }[] {
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
