import { setTimeout as sleep } from 'node:timers/promises';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { ListTopicsCommand, SNSClient } from '@aws-sdk/client-sns';
import {
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SetQueueAttributesCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { cycleWorkflowId } from '../../domain/cycle';
import { toRfc3339 } from '../../domain/data-interval';
import type { InboxView } from '../../domain/inbox';
import { inboxWorkflowId } from '../../domain/ingest';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { audit } from '../faults/audit/audit';
import { Lab } from '../faults/lab';
import { faultPipeline } from '../faults/pipeline';
import { type RawUpload, recordKey } from '../faults/raw-night';
import { LONG_POLL_SECONDS } from '../../worker/consumer/event-consumer';
import { BUNDLE_CACHE } from '../support/worker';

const LIMIT_MS = 5 * 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MANY = 1_000;

function arriving(name: string, maxObjects: number, mode: 'on-object' | 'both' = 'on-object'): PipelineSpec {
  return { ...faultPipeline(name), ingest: { mode, maxObjects, maxBytes: 64 * 1024 ** 2, maxAgeSeconds: 900, sweepMinutes: 60 } };
}
const few = arriving('i1-arriving', 4);
const many = { ...arriving('i2-many', MANY), dedup: { ...few.dedup, chunkBytes: 1024 ** 2 } };
const both = arriving('i3-both', 2, 'both');
/** An hour in which nothing arrives any more, so that every object is whole in an hour that has begun. */
const hourMs = Math.floor(Date.now() / HOUR_MS) * HOUR_MS - HOUR_MS;

let lab: Lab;
let sqs: SQSClient;
let queueUrl: string;
let deadUrl: string;
let oldPollEndsMs = 0;

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  lab = await Lab.start([few, many, both]);
  const { AWS_ENDPOINT_URL: endpoint = '', AWS_REGION: region = '', AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = lab.engines.env;
  sqs = new SQSClient({ endpoint, region, useQueueUrlAsEndpoint: false, credentials: { accessKeyId, secretAccessKey } });
  queueUrl = lab.engines.env['MERIDIAN_EVENT_QUEUE_URL'] ?? '';
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ['RedrivePolicy'] }));
  const { deadLetterTargetArn } = JSON.parse(Attributes?.['RedrivePolicy'] ?? '{}') as { readonly deadLetterTargetArn: string };
  // What a dead consumer had taken comes back soon.
  await sqs.send(new SetQueueAttributesCommand({ QueueUrl: queueUrl, Attributes: { VisibilityTimeout: '2' } }));
  await lab.workers.restart();
  oldPollEndsMs = Date.now() + (LONG_POLL_SECONDS + 1) * 1_000;
  deadUrl = (await sqs.send(new GetQueueUrlCommand({ QueueName: deadLetterTargetArn.split(':').at(-1) ?? '' }))).QueueUrl ?? '';
}, LIMIT_MS);
afterAll(async () => {
  sqs?.destroy();
  await lab?.stop();
}, LIMIT_MS);

/** The template's rule is of the pipelines that are declared; this one is declared by the test alone. EventBridge's JSON protocol. */
async function events(operation: string, input: object): Promise<void> {
  const response = await fetch(lab.engines.env['AWS_ENDPOINT_URL'] ?? '', {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `AWSEvents.${operation}`,
      authorization: 'AWS4-HMAC-SHA256 Credential=local/20240101/us-east-1/events/aws4_request, SignedHeaders=host, Signature=0',
    },
    body: JSON.stringify(input),
  });
  if (!response.ok) throw new Error(`${operation} answered ${response.status}: ${await response.text()}`);
}

async function tellOfObjects(): Promise<void> {
  const sns = new SNSClient({ endpoint: lab.engines.env['AWS_ENDPOINT_URL'] ?? '', region: 'us-east-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } });
  const { Topics = [] } = await sns.send(new ListTopicsCommand({}));
  sns.destroy();
  const topic = Topics.find(({ TopicArn }) => TopicArn?.includes('Arrivals'))?.TopicArn;
  const EventPattern = JSON.stringify({ source: ['aws.s3'], 'detail-type': ['Object Created'], detail: { bucket: { name: [lab.engines.env['MERIDIAN_RAW_BUCKET']] } } });
  await events('PutRule', { Name: 'arrivals-of-the-test', EventPattern, State: 'ENABLED' });
  await events('PutTargets', { Rule: 'arrivals-of-the-test', Targets: [{ Id: 'topic', Arn: topic }] });
}

/** The objects of one pipeline that arrive, and its inbox. */
class Arrivals {
  readonly uploads: RawUpload[] = [];

  constructor(
    readonly spec: PipelineSpec,
    private readonly lines: number,
    /** Of its records, so that no two pipelines' are the same. */
    private readonly latitude: number,
  ) {}

  get inbox() {
    return lab.access.temporal.workflow.getHandle(inboxWorkflowId(this.spec.name));
  }

  /** Puts objects of new records into the arrival hour, some at once; each record's fate is known. */
  async put(count: number): Promise<void> {
    const hour = new Date(hourMs).toISOString().slice(0, 13).replaceAll('-', '/').replace('T', '/');
    const bodies = Array.from({ length: count }, (_, n) => {
      const index = this.uploads.length + n;
      const lines = Array.from({ length: this.lines }, (__, line) => {
        const epochMs = hourMs + (index * this.lines + line) * 100;
        const [longitude, latitude] = [8 + index / 100, this.latitude + line / 100];
        return {
          text: JSON.stringify({ timestamp: epochMs, device: `d${line}`, longitude, latitude }),
          fate: { kind: 'record', key: recordKey(epochMs, longitude, latitude) } as const,
        };
      });
      return { key: `${this.spec.raw.prefix}${hour}/gateway ${index}+1.json`, lines };
    });
    this.uploads.push(...bodies);
    const waiting = [...bodies];
    const send = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const Body = next.lines.map(({ text }) => `${text}\n`).join('');
        await lab.access.s3.send(new PutObjectCommand({ Bucket: lab.engines.env['MERIDIAN_RAW_BUCKET'], Key: next.key, Body }));
      }
    };
    await Promise.all(Array.from({ length: 8 }, send));
  }

  async until(what: string, holds: (seen: InboxView) => boolean): Promise<InboxView> {
    for (const deadline = Date.now() + 120_000; ; ) {
      const seen = await this.inbox.query<InboxView, []>('inbox').catch(() => undefined);
      if (seen !== undefined && holds(seen)) return seen;
      if (Date.now() > deadline) throw new Error(`The inbox of ${this.spec.name} did not come to ${what}: ${JSON.stringify(seen)}`);
      await sleep(200);
    }
  }

  /** How the cycles ended, by their intervals. */
  async cycles(): Promise<readonly { readonly end: Date; readonly outcome: 'promoted' | 'empty' }[]> {
    const text = `select interval_end as end, outcome from meridian.cycle where pipeline = $1 order by 1`;
    return (await lab.access.pool.query<{ end: Date; outcome: 'promoted' | 'empty' }>(text, [this.spec.name])).rows;
  }

  /** Nothing lost, nothing twice (I1–I9), over all the cycles that there were. */
  async holds(): Promise<void> {
    const nights = (await this.cycles()).map(({ end, outcome }, index) => ({
      intervalEnd: toRfc3339(end),
      workflowId: cycleWorkflowId(this.spec.name, toRfc3339(end)),
      expected: outcome,
      uploads: index === 0 ? this.uploads : [],
    }));
    const report = await audit({
      spec: this.spec,
      access: lab.access,
      nights,
      outcomes: await lab.outcomes.drain(),
      workers: { workDirs: lab.workers.workDirs, running: true, killed: true },
      bundleDir: BUNDLE_CACHE,
    });
    expect(report.violations).toEqual([]);
    expect(report.counts).toMatchObject({ records: this.uploads.length * this.lines, lost: 0, duplicated: 0 });
  }
}

/** The event of an object as EventBridge words it, once more. */
function copyOf({ key }: RawUpload, sequencer = '0'): string {
  return JSON.stringify({
    'detail-type': 'Object Created',
    time: toRfc3339(new Date()),
    detail: { bucket: { name: lab.engines.env['MERIDIAN_RAW_BUCKET'] }, object: { key, size: 1, etag: 'e', sequencer, 'version-id': 'v' } },
  });
}

const promoted = (count: number) => (seen: InboxView) => seen.running === undefined && seen.lastCycles.filter((cycle) => cycle.outcome === 'promoted').length === count;

test(
  'arriving objects start cycles: what no event told is found by a listing, a full count starts one, copies of events and a killed consumer change nothing, poison goes to the dead-letter queue (S2.11, S1.2, S1.5, S1.7, S1.14, S1.15, I1, I2)',
  async () => {
    const arrivals = new Arrivals(few, 20, 47);
    await arrivals.put(1); // before there was a rule: nobody is told
    await arrivals.inbox.executeUpdate('flush');
    const first = await arrivals.until('the first cycle', promoted(1));
    // The inbox's own first listing, if it came after the object.
    expect(first.lastCycles[0]).toMatchObject({ reason: expect.stringMatching(/^(flush|sweep)$/) as string, objectCount: 1 });

    // The emulator serves the old consumer's poll to its end, though nobody listens, and by the time-out that was set when it began.
    await sleep(Math.max(0, oldPollEndsMs - Date.now()));
    await tellOfObjects();
    await arrivals.put(4);
    const second = await arrivals.until('a cycle by count', promoted(2));
    expect(second.lastCycles[0]).toMatchObject({ reason: 'count', objectCount: 4 });

    // Copies, and what cannot be read among its neighbours; the worker is killed while it consumes.
    await sqs.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: 'no JSON at all' }));
    const [, copied] = arrivals.uploads;
    const copy = copied === undefined ? '' : copyOf(copied);
    await sqs.send(new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries: [0, 1, 2].map((n) => ({ Id: String(n), MessageBody: copy })) }));
    await arrivals.put(3);
    await lab.workers.kill();
    await arrivals.until('all that arrived', ({ pending }) => pending.objectCount >= 3 || pending.objectCount === 0);
    await arrivals.inbox.executeUpdate('flush');
    const third = await arrivals.until('a third cycle', promoted(3));
    expect(third.lastCycles[0]).toMatchObject({ objectCount: 3 });

    for (const deadline = Date.now() + 60_000; ; ) {
      const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl: deadUrl, WaitTimeSeconds: 1 }));
      if (Messages.some(({ Body }) => Body === 'no JSON at all')) break;
      if (Date.now() > deadline) throw new Error('The poison message is not in the dead-letter queue');
    }
    expect((await arrivals.cycles()).map(({ outcome }) => outcome)).toEqual(['promoted', 'promoted', 'promoted']);
    await arrivals.holds();
  },
  LIMIT_MS,
);

test(
  'a thousand objects at once, each told twice and out of order, while the worker is killed, Temporal ends and AWS is away: the inbox continues as new, and one cycle loads all of them once (S2.11, S2.32, S1.15, I1–I9)',
  async () => {
    const arrivals = new Arrivals(many, 1, 20);
    await tellOfObjects();
    await arrivals.inbox.executeUpdate('pause');
    const { runId } = await arrivals.inbox.describe();

    const putting = arrivals.put(MANY);
    await sleep(1_000);
    await lab.workers.kill();
    await sleep(1_000);
    await lab.engines.fail('temporal');
    await lab.engines.repair();
    await putting;
    lab.engines.aws.lose();
    await sleep(2_000);
    lab.engines.aws.regain();
    const copies = [...arrivals.uploads].reverse().map((upload) => copyOf(upload));
    for (let at = 0; at < copies.length; at += 10) {
      await sqs.send(new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries: copies.slice(at, at + 10).map((MessageBody, n) => ({ Id: String(n), MessageBody })) }));
    }
    // A copy without the version's own id counts again, if at all: how much waits only says when to look.
    await arrivals.until('all that arrived', ({ pending }) => pending.objectCount >= MANY);
    await arrivals.inbox.executeUpdate('resume');
    const { lastCycles } = await arrivals.until('its cycle', promoted(1));

    expect(lastCycles[0]).toMatchObject({ reason: 'count', objectCount: MANY });
    expect((await arrivals.inbox.describe()).runId).not.toBe(runId);
    await lab.engines.repair();
    await lab.workers.settle();
    expect(await arrivals.cycles()).toHaveLength(1);
    await arrivals.holds();
  },
  LIMIT_MS,
);

test(
  'a pipeline that runs on objects and nightly: the nightly finds what the inbox has not taken, and an object that both could take is loaded once (S2.11, I1, I2)',
  async () => {
    const arrivals = new Arrivals(both, 20, 60);
    await tellOfObjects();
    await arrivals.put(1); // fewer than the inbox waits for
    const intervalEnd = toRfc3339(new Date(Math.floor((hourMs + HOUR_MS) / 1_000) * 1_000));
    const nightly = await lab.access.temporal.workflow.start('etlCycle', {
      workflowId: cycleWorkflowId(both.name, intervalEnd),
      taskQueue: 'meridian',
      args: [{ pipeline: both.name, intervalStart: toRfc3339(new Date(Date.parse(intervalEnd) - DAY_MS)), intervalEnd }],
    });
    await arrivals.put(3);
    expect(await lab.ended(nightly, 60_000)).toMatchObject({ outcome: 'promoted' });
    await arrivals.inbox.executeUpdate('flush').catch(() => undefined);
    await arrivals.until('an end', ({ running, pending }) => running === undefined && pending.objectCount === 0);

    // One that the other was quicker than finds nothing left.
    expect((await arrivals.cycles()).filter(({ outcome }) => !['promoted', 'empty'].includes(outcome))).toEqual([]);
    await arrivals.holds();
  },
  LIMIT_MS,
);
