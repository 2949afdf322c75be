import { setTimeout as sleep } from 'node:timers/promises';
import { ChangeMessageVisibilityBatchCommand, DeleteMessageBatchCommand, type Message, ReceiveMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { ArrivedObject } from '../../domain/inbox';
import { runsOnObject } from '../../domain/ingest';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { sortMessages } from './sort-messages';

export interface EventConsumerDependencies {
  readonly sqs: SQSClient;
  readonly queueUrl: string;
  readonly rawBucket: string;
  readonly pipelines: readonly PipelineSpec[];
  /** Resolves once Temporal has the signal for good. */
  readonly deliver: (pipeline: string, objects: readonly ArrivedObject[]) => Promise<unknown>;
  readonly log: ConsumerLog;
}

export interface ConsumerLog {
  info(message: string, fields: Readonly<Record<string, unknown>>): unknown;
  warn(message: string, fields: Readonly<Record<string, unknown>>): unknown;
}

/** ReceiveMessage's limits. A batch is all that is in memory: the queue holds the rest. */
const MESSAGES_A_BATCH = 10;
export const LONG_POLL_SECONDS = 20;
/** Renewed while a batch waits for Temporal, so that an outage counts as no failed receipt: those are for messages that cannot be read. */
const HOLD_SECONDS = 120;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
const HEALTH_MS = 60_000;

/**
 * Takes the events of arriving objects from the queue to their pipelines' inboxes. A message is deleted after its signal was
 * acknowledged: a worker killed in between has it told again, which changes nothing. One that cannot be read is left to its redrive.
 */
export class EventConsumer {
  private readonly pipelines: readonly PipelineSpec[];
  private tally = { received: 0, told: 0, notOurs: 0, malformed: 0, faults: 0 };
  private healthDueMs = Date.now() + HEALTH_MS;

  constructor(private readonly deps: EventConsumerDependencies) {
    this.pipelines = deps.pipelines.filter(runsOnObject);
  }

  /** Until `signal` is aborted. Never rejects: a queue, or a Temporal, that is down comes back. */
  async run(signal: AbortSignal): Promise<void> {
    // What came before there was an inbox is found by its first listing.
    for (const { name } of this.pipelines) await this.persist(() => this.deps.deliver(name, []), signal);
    while (!signal.aborted) {
      await this.persist(async () => this.take(await this.receive(signal), signal), signal);
      this.tellHealth();
    }
  }

  private async receive(signal: AbortSignal): Promise<readonly Message[]> {
    const { Messages } = await this.deps.sqs.send(
      new ReceiveMessageCommand({ QueueUrl: this.deps.queueUrl, MaxNumberOfMessages: MESSAGES_A_BATCH, WaitTimeSeconds: LONG_POLL_SECONDS }),
      { abortSignal: signal },
    );
    return Messages ?? [];
  }

  private async take(messages: readonly Message[], signal: AbortSignal): Promise<void> {
    const { arrivals, read, notOurs, malformed } = sortMessages(messages, this.deps.rawBucket, this.pipelines);
    this.tally.received += messages.length;
    this.tally.notOurs += notOurs.length;
    this.tally.malformed += malformed.length;
    for (const { MessageId: messageId } of notOurs) this.deps.log.info('An event is of no pipeline that runs on objects', { messageId });
    for (const { message, fault } of malformed) {
      this.deps.log.warn('A message cannot be read and goes to the dead-letter queue in the end', { messageId: message.MessageId, fault });
    }
    for (const [pipeline, objects] of arrivals) {
      await this.persist(() => this.deps.deliver(pipeline, objects), signal, () => this.hold(read, signal));
      if (signal.aborted) return; // told or not, they are told again
      this.tally.told += objects.length;
    }
    if (read.length > 0) await this.delete(read);
  }

  private async hold(messages: readonly Message[], signal: AbortSignal): Promise<void> {
    const Entries = messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle, VisibilityTimeout: HOLD_SECONDS }));
    await this.deps.sqs.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl: this.deps.queueUrl, Entries }), { abortSignal: signal });
  }

  private async delete(messages: readonly Message[]): Promise<void> {
    const Entries = messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }));
    await this.deps.sqs.send(new DeleteMessageBatchCommand({ QueueUrl: this.deps.queueUrl, Entries }));
  }

  /** Again and again until it succeeds or `signal` is aborted, with growing pauses. */
  private async persist(attempt: () => Promise<unknown>, signal: AbortSignal, beforePause?: () => Promise<void>): Promise<void> {
    for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        await attempt();
        return;
      } catch (error) {
        if (signal.aborted) return;
        this.tally.faults += 1;
        this.deps.log.warn('Events of arriving objects are not being taken, this will be tried again', { error: String(error), pauseMs });
        await beforePause?.().catch(() => undefined); // the queue may be away too: then they come again
        await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  private tellHealth(): void {
    if (Date.now() < this.healthDueMs) return;
    this.deps.log.info('Event consumer', this.tally);
    this.tally = { received: 0, told: 0, notOurs: 0, malformed: 0, faults: 0 };
    this.healthDueMs = Date.now() + HEALTH_MS;
  }
}
