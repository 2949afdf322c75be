import type { Message } from '@aws-sdk/client-sqs';
import type { ArrivedObject } from '../../domain/inbox';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { type Arrival, MalformedMessage, readArrivals } from './arrival-message';

export interface SortedMessages {
  /** What each pipeline is to be told. */
  readonly arrivals: ReadonlyMap<string, readonly ArrivedObject[]>;
  /** To be deleted once that is told; those of no pipeline are among them. */
  readonly read: readonly Message[];
  readonly notOurs: readonly Message[];
  /** Left to their redrive, each with what is wrong with it. */
  readonly malformed: readonly { readonly message: Message; readonly fault: string }[];
}

/** Groups the objects of a batch of messages by pipeline: those of the raw bucket, by the prefix of their keys. */
export function sortMessages(messages: readonly Message[], rawBucket: string, pipelines: readonly PipelineSpec[]): SortedMessages {
  const arrivals = new Map<string, ArrivedObject[]>();
  const [read, notOurs, malformed]: [Message[], Message[], { message: Message; fault: string }[]] = [[], [], []];
  for (const message of messages) {
    const found = arrivalsOf(message);
    if (typeof found === 'string') {
      malformed.push({ message, fault: found });
      continue;
    }
    read.push(message);
    const told = found.flatMap(({ bucket, ...object }) =>
      pipelines.filter(({ raw }) => bucket === rawBucket && object.key.startsWith(raw.prefix)).map(({ name }) => ({ name, object })),
    );
    if (told.length === 0) notOurs.push(message);
    for (const { name, object } of told) arrivals.set(name, [...(arrivals.get(name) ?? []), object]);
  }
  return { arrivals, read, notOurs, malformed };
}

function arrivalsOf({ Body = '' }: Message): readonly Arrival[] | string {
  try {
    return readArrivals(Body);
  } catch (error) {
    if (error instanceof MalformedMessage) return error.message;
    throw error;
  }
}
