import { Duration, Stack } from 'aws-cdk-lib';
import { Alarm, type AlarmProps, ComparisonOperator, Metric, Stats, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { METRIC_NAMESPACE, METRICS } from '../../domain/metrics';
import { cycleFailedAlarm, gateFailedAlarm } from './alarm-names';
import type { OutcomeAlertsProps } from './outcome-alerts-props';

/** The topic of every cycle's outcome, and two alarms a pipeline: that its gate failed, and that a cycle did (S2.18, S4.19). People and other teams subscribe to it. */
export class OutcomeAlerts extends Construct {
  readonly topic: Topic;

  constructor(scope: Construct, id: string, { pipelines, key }: OutcomeAlertsProps) {
    super(scope, id);
    this.topic = new Topic(this, 'Topic', { displayName: 'Meridian cycle outcomes', enforceSSL: true });
    key.encryptTopic(this.topic);
    const { account, partition } = Stack.of(this);
    // A topic policy replaces the default one, which would have let the account's alarms in.
    for (const [service, conditions] of [
      ['cloudwatch', { StringEquals: { 'aws:SourceAccount': account } }],
      ['budgets', { StringEquals: { 'aws:SourceAccount': account }, ArnLike: { 'aws:SourceArn': `arn:${partition}:budgets::${account}:*` } }],
    ] as const) {
      this.topic.addToResourcePolicy(
        new PolicyStatement({
          principals: [new ServicePrincipal(`${service}.amazonaws.com`)],
          actions: ['sns:Publish'],
          resources: [this.topic.topicArn],
          conditions,
        }),
      );
    }
    for (const { name } of pipelines) {
      this.alarm(name, 'gate-failed', METRICS.gateFailed, {
        alarmName: gateFailedAlarm(name),
        alarmDescription: `The data quality gate of ${name} failed: the view keeps serving the last promoted version`,
      });
      this.alarm(name, 'cycle-failed', METRICS.failed, {
        alarmName: cycleFailedAlarm(name),
        alarmDescription: `A cycle of ${name} failed: nothing of it is served, the next cycle reads its objects again`,
      });
    }
  }

  private alarm(pipeline: string, id: string, metricName: string, texts: Pick<AlarmProps, 'alarmDescription' | 'alarmName'>): void {
    const alarm = new Alarm(this, `${id}-${pipeline}`, {
      ...texts,
      metric: new Metric({
        namespace: METRIC_NAMESPACE,
        metricName,
        dimensionsMap: { Pipeline: pipeline },
        statistic: Stats.MAXIMUM,
        period: Duration.minutes(5),
      }),
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      threshold: 1,
      evaluationPeriods: 1,
      treatMissingData: TreatMissingData.NOT_BREACHING, // between nights nothing is reported
    });
    alarm.addAlarmAction(new SnsAction(this.topic));
  }
}
