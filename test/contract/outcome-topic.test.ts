import { CloudWatchClient, ListMetricsCommand } from '@aws-sdk/client-cloudwatch';
import { GlueClient } from '@aws-sdk/client-glue';
import { CreateTopicCommand, SNSClient } from '@aws-sdk/client-sns';
import { SQSClient } from '@aws-sdk/client-sqs';
import { MockActivityEnvironment } from '@temporalio/testing';
import { createPublicationActivities } from '../../activities/publication';
import type { AnnounceOutcomeInput } from '../../domain/announcement';
import { OutcomeQueue } from '../faults/audit/outcome-queue';
import { type LocalAws, startLocalAws } from '../support/local-aws';

let aws: LocalAws;
let sns: SNSClient;
let cloudwatch: CloudWatchClient;

beforeAll(async () => {
  aws = await startLocalAws();
  sns = new SNSClient(aws.clientConfig);
  cloudwatch = new CloudWatchClient(aws.clientConfig);
});

afterAll(async () => {
  sns?.destroy();
  cloudwatch?.destroy();
  await aws?.stop();
});

const cycle = { pipeline: 'ais', dataset: 'positions', intervalStart: '2018-08-01T00:00:00Z', intervalEnd: '2018-08-02T00:00:00Z', generation: 1 };

test('S2.18 I9 a queue on the topic gets each outcome once, as a document with its text and its Slack message', async () => {
  const { TopicArn: topicArn = '' } = await sns.send(new CreateTopicCommand({ Name: 'outcomes' }));
  const queue = await OutcomeQueue.open(new SQSClient(aws.clientConfig), sns, topicArn, 'outcomes');
  const told = new Set<string>();
  const { announceOutcome } = createPublicationActivities({
    sns,
    cloudwatch,
    glue: new GlueClient(aws.clientConfig),
    glueDatabase: 'none',
    topicArn,
    storageBucket: 'none',
    liveStorageFiles: () => Promise.resolve([]),
    claimNotification: (outcomeId) => Promise.resolve(!told.has(outcomeId)),
    confirmNotification: async (outcomeId) => void told.add(outcomeId),
  });
  const announce = (input: AnnounceOutcomeInput) => new MockActivityEnvironment().run(announceOutcome, input);
  const held = { cycle, outcome: 'held', until: '2018-08-02T06:00:00Z', reason: 'served: RowCount > 10 & more', counts: { RecordsRead: 1 } } as const;

  await announce(held);
  await announce(held);
  await announce({ ...held, outcome: 'reminder', reminder: 1 });
  await announce({ ...held, outcome: 'reminder', reminder: 2 });
  await announce({ cycle, outcome: 'rolled-back', sequence: 4, by: 'ada', held: true, reason: 'wrong zones', counts: { Rows_positions: 3 } });

  const messages = await queue.drain();
  queue.close();
  expect(messages.map(({ outcomeId }) => outcomeId).sort()).toEqual([
    'ais/20180802T000000Z/g0001/held',
    'ais/20180802T000000Z/g0001/reminder/1',
    'ais/20180802T000000Z/g0001/reminder/2',
    'ais/rollback/4',
  ]);
  const [first] = messages.filter(({ outcome }) => outcome === 'held');
  expect(first?.text).toContain('npx meridian approve ais 2018-08-02T00:00:00Z --reason');
  expect(JSON.stringify(first?.slack.blocks)).toContain('RowCount &gt; 10 &amp; more');
  const { Metrics = [] } = await cloudwatch.send(new ListMetricsCommand({ Namespace: 'Meridian' }));
  expect(Metrics.map((metric) => metric.MetricName)).toEqual(expect.arrayContaining(['CycleHeld', 'CycleReminder', 'CycleRolledBack', 'GateFailed', 'Rows_positions']));
});
