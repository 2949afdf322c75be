import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, Stats, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { CfnRule } from 'aws-cdk-lib/aws-events';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { CfnBucket } from 'aws-cdk-lib/aws-s3';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { SqsSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { runsOnObject } from '../../domain/ingest';
import { UNREAD_EVENTS_ALARM } from './alarm-names';
import type { ArrivalEventsProps } from './arrival-events-props';

/** Longer than a worker takes for a batch; one that waits for Temporal renews it. */
const VISIBILITY = Duration.minutes(2);
const MOST_RECEIPTS = 5;
/** The longest that SQS keeps messages: an event survives a worker that is down for two weeks. */
const RETENTION = Duration.days(14);

/**
 * From a new raw object to the worker: bucket → EventBridge → topic → queue (S1.2, S1.3, S1.5, S2.11). Other teams subscribe to the topic
 * (S1.4). What cannot be read ends in the dead-letter queue, which alarms (S1.14).
 */
export class ArrivalEvents extends Construct {
  readonly queue: Queue;
  /** What nobody could read. */
  readonly deadLetters: Queue;

  constructor(scope: Construct, id: string, { pipelines, buckets, key, alarmTopic }: ArrivalEventsProps) {
    super(scope, id);
    // On the resource itself: CDK's own property would deploy a Lambda function for it.
    (buckets.raw.node.defaultChild as CfnBucket).notificationConfiguration = { eventBridgeConfiguration: { eventBridgeEnabled: true } };
    const topic = new Topic(this, 'Topic', { displayName: 'Meridian raw objects', enforceSSL: true });
    key.encryptTopic(topic);
    const kept = { encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true, retentionPeriod: RETENTION, removalPolicy: RemovalPolicy.DESTROY };
    this.deadLetters = new Queue(this, 'DeadLetters', kept);
    this.queue = new Queue(this, 'Queue', {
      ...kept,
      visibilityTimeout: VISIBILITY,
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: MOST_RECEIPTS },
    });
    topic.addSubscription(new SqsSubscription(this.queue, { rawMessageDelivery: true }));

    const prefixes = [...new Set(pipelines.filter(runsOnObject).map(({ raw }) => raw.prefix))];
    if (prefixes.length > 0) {
      const rule = new CfnRule(this, 'Rule', {
        description: 'New raw objects of the pipelines that run on objects',
        eventPattern: {
          source: ['aws.s3'],
          'detail-type': ['Object Created'],
          detail: { bucket: { name: [buckets.raw.bucketName] }, object: { key: prefixes.map((prefix) => ({ prefix })) } },
        },
        targets: [{ id: 'topic', arn: topic.topicArn }],
      });
      topic.addToResourcePolicy(
        new PolicyStatement({
          principals: [new ServicePrincipal('events.amazonaws.com')],
          actions: ['sns:Publish'],
          resources: [topic.topicArn],
          conditions: { ArnEquals: { 'aws:SourceArn': rule.attrArn } },
        }),
      );
    }
    const alarm = new Alarm(this, 'Unread', {
      alarmName: UNREAD_EVENTS_ALARM,
      alarmDescription: 'Events of raw objects could not be read and are in the dead-letter queue: the objects are found by listing all the same',
      metric: this.deadLetters.metricApproximateNumberOfMessagesVisible({ statistic: Stats.MAXIMUM, period: Duration.minutes(5) }),
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      threshold: 1,
      evaluationPeriods: 1,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
    alarm.addAlarmAction(new SnsAction(alarmTopic));
  }
}
