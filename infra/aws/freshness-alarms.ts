import { CfnAlarm } from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { METRIC_NAMESPACE, METRICS } from '../../domain/metrics';
import type { FreshnessAlarmsProps } from './freshness-alarms-props';
import { OptionalParameter } from './optional-parameter';

const HOUR_SECONDS = 3_600;

/**
 * An alarm a pipeline that for some hours no cycle came to a good end (S4.19): whatever the cause, a worker that is down, a Schedule that
 * is paused, nights that fail one after the other. Off until `FreshnessHours` says after how many; CloudWatch looks back 168 at most.
 */
export class FreshnessAlarms extends Construct {
  constructor(scope: Construct, id: string, { pipelines, topicArn }: FreshnessAlarmsProps) {
    super(scope, id);
    const hours = new OptionalParameter(this, 'Hours', {
      name: 'FreshnessHours',
      description: 'Hours without a cycle that was promoted or had nothing new, after which an alarm says so (26 for a nightly); empty: no alarm',
      pattern: '^([1-9][0-9]?|1[0-5][0-9]|16[0-8])$',
      constraint: 'must be a number from 1 to 168',
    });
    for (const { name } of pipelines) {
      const alarm = new CfnAlarm(this, name, {
        alarmName: `meridian-old-data-${name}`,
        alarmDescription: `No cycle of ${name} was promoted, or had nothing new, for as many hours as FreshnessHours says`,
        namespace: METRIC_NAMESPACE,
        metricName: METRICS.upToDate,
        dimensions: [{ name: 'Pipeline', value: name }],
        statistic: 'Sum',
        period: HOUR_SECONDS,
        comparisonOperator: 'LessThanThreshold',
        threshold: 1,
        evaluationPeriods: hours.value as unknown as number,
        treatMissingData: 'breaching', // silence is what it is for
        alarmActions: [topicArn],
        okActions: [topicArn],
      });
      alarm.cfnOptions.condition = hours.isSet;
    }
  }
}
