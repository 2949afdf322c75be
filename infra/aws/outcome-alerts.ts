import { Duration, Stack } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, Metric, Stats, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import type { OutcomeAlertsProps } from './outcome-alerts-props';

/** The topic of every cycle's outcome, and an alarm a pipeline that its gate failed (S2.18). People and other teams subscribe to it. */
export class OutcomeAlerts extends Construct {
  readonly topic: Topic;

  constructor(scope: Construct, id: string, { pipelines, key }: OutcomeAlertsProps) {
    super(scope, id);
    this.topic = new Topic(this, 'Topic', { displayName: 'Meridian cycle outcomes', enforceSSL: true });
    key.encryptTopic(this.topic);
    // A topic policy replaces the default one, which would have let the account's alarms in.
    this.topic.addToResourcePolicy(
      new PolicyStatement({
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [this.topic.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
    );
    for (const { name } of pipelines) {
      const alarm = new Alarm(this, `gate-failed-${name}`, {
        alarmName: `meridian-gate-failed-${name}`,
        alarmDescription: `The data quality gate of ${name} failed: the view keeps serving the last promoted version`,
        metric: new Metric({
          namespace: 'Meridian',
          metricName: 'GateFailed',
          dimensionsMap: { Pipeline: name },
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
}
