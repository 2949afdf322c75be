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
const LINES = 20;
const HOUR_MS = 3_600_000;
const spec: PipelineSpec = {
  ...faultPipeline('i1-arriving'),
  ingest: { mode: 'on-object', maxObjects: 4, maxBytes: 64 * 1024 ** 2, maxAgeSeconds: 900, sweepMinutes: 60 },
};
/** An hour in which nothing arrives any more, so that every object is whole in an hour that has begun. */
const hourMs = Math.floor(Date.now() / HOUR_MS) * HOUR_MS - HOUR_MS;

let lab: Lab;
let sqs: SQSClient;
let queueUrl: string;
let deadUrl: string;
let oldPollEndsMs = 0;
const uploads: RawUpload[] = [];

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  lab = await Lab.start([spec]);
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

/** Puts objects of new records into the arrival hour; each record's fate is known. */
async function put(count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    const index = uploads.length;
    const lines = Array.from({ length: LINES }, (_, line) => {
      const epochMs = hourMs + (index * LINES + line) * 1_000;
      const [longitude, latitude] = [8 + index / 100, 47 + line / 100];
      return {
        text: JSON.stringify({ timestamp: epochMs, device: `d${line}`, longitude, latitude }),
        fate: { kind: 'record', key: recordKey(epochMs, longitude, latitude) } as const,
      };
    });
    const hour = new Date(hourMs).toISOString().slice(0, 13).replaceAll('-', '/').replace('T', '/');
    const upload = { key: `${spec.raw.prefix}${hour}/gateway ${index}+1.json`, lines };
    uploads.push(upload);
    await lab.access.s3.send(new PutObjectCommand({ Bucket: lab.engines.env['MERIDIAN_RAW_BUCKET'], Key: upload.key, Body: lines.map(({ text }) => `${text}\n`).join('') }));
  }
}

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

const view = () => lab.access.temporal.workflow.getHandle(inboxWorkflowId(spec.name)).query<InboxView, []>('inbox');

async function until(what: string, holds: (seen: InboxView) => boolean): Promise<InboxView> {
  for (const deadline = Date.now() + 90_000; ; ) {
    const seen = await view().catch(() => undefined);
    if (seen !== undefined && holds(seen)) return seen;
    if (Date.now() > deadline) throw new Error(`The inbox did not come to ${what}: ${JSON.stringify(seen)}`);
    await sleep(200);
  }
}

const promoted = (count: number) => (seen: InboxView) => seen.running === undefined && seen.lastCycles.filter((cycle) => cycle.outcome === 'promoted').length === count;

test(
  'arriving objects start cycles: what no event told is found by a listing, a full count starts one, copies of events and a killed consumer change nothing, poison goes to the dead-letter queue (S2.11, S1.2, S1.5, S1.7, S1.14, S1.15, I1, I2)',
  async () => {
    await put(1); // before there was a rule: nobody is told
    await lab.access.temporal.workflow.getHandle(inboxWorkflowId(spec.name)).executeUpdate('flush');
    const first = await until('the first cycle', promoted(1));
    // The inbox's own first listing, if it came after the object.
    expect(first.lastCycles[0]).toMatchObject({ reason: expect.stringMatching(/^(flush|sweep)$/) as string, objectCount: 1 });

    // The emulator serves the old consumer's poll to its end, though nobody listens, and by the time-out that was set when it began.
    await sleep(Math.max(0, oldPollEndsMs - Date.now()));
    await tellOfObjects();
    await put(4);
    const second = await until('a cycle by count', promoted(2));
    expect(second.lastCycles[0]).toMatchObject({ reason: 'count', objectCount: 4 });

    // Copies, and what cannot be read among its neighbours; the worker is killed while it consumes.
    await sqs.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: 'no JSON at all' }));
    const copy = JSON.stringify({
      'detail-type': 'Object Created',
      time: toRfc3339(new Date()),
      detail: { bucket: { name: lab.engines.env['MERIDIAN_RAW_BUCKET'] }, object: { key: uploads[1]?.key, size: 1, etag: 'e', sequencer: '0', 'version-id': 'v' } },
    });
    await sqs.send(new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries: [0, 1, 2].map((n) => ({ Id: String(n), MessageBody: copy })) }));
    await put(3);
    await lab.workers.kill();
    await until('all that arrived', ({ pending }) => pending.objectCount >= 3 || pending.objectCount === 0);
    await lab.access.temporal.workflow.getHandle(inboxWorkflowId(spec.name)).executeUpdate('flush');
    const third = await until('a third cycle', promoted(3));
    expect(third.lastCycles[0]).toMatchObject({ objectCount: 3 });

    for (const deadline = Date.now() + 60_000; ; ) {
      const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl: deadUrl, WaitTimeSeconds: 1 }));
      if (Messages.some(({ Body }) => Body === 'no JSON at all')) break;
      if (Date.now() > deadline) throw new Error('The poison message is not in the dead-letter queue');
    }
    const { rows } = await lab.access.pool.query<{ end: Date }>(`select distinct interval_end as end from meridian.cycle where pipeline = $1 order by 1`, [spec.name]);
    const nights = rows.map(({ end }, index) => ({
      intervalEnd: toRfc3339(end),
      workflowId: cycleWorkflowId(spec.name, toRfc3339(end)),
      expected: 'promoted' as const,
      uploads: index === 0 ? uploads : [],
    }));
    expect(nights).toHaveLength(3);
    const report = await audit({
      spec,
      access: lab.access,
      nights,
      outcomes: await lab.outcomes.drain(),
      workers: { workDirs: lab.workers.workDirs, running: true, killed: true },
      bundleDir: BUNDLE_CACHE,
    });
    expect(report.violations).toEqual([]);
    expect(report.counts).toMatchObject({ records: 8 * LINES, lost: 0, duplicated: 0 });
  },
  LIMIT_MS,
);
