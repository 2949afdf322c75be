import { CfnCondition, Fn } from 'aws-cdk-lib';
import { CfnScalableTarget, CfnScalingPolicy } from 'aws-cdk-lib/aws-applicationautoscaling';
import { CfnAlarm } from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { DEFAULT_TASK_QUEUE, QUEUE_METRIC } from '../../domain/queue-metric';
import { imported } from './imported';
import type { WorkerScalingProps } from './worker-scaling-props';

/** A worker executes 100 activities at once: what waits longer than its next poll waits for a slot. */
const WAITING = 20;
const MANY_WAITING = 200;

/** More workers while tasks wait, fewer when none has waited for a quarter of an hour (S1.9). Every worker reports the same number: its maximum counts. */
export class WorkerScaling extends Construct {
  constructor(scope: Construct, id: string, { parameters, worker }: WorkerScalingProps) {
    super(scope, id);
    const { MinWorkers, MaxWorkers, DataStack } = parameters;
    const target = new CfnScalableTarget(this, 'Target', {
      serviceNamespace: 'ecs',
      scalableDimension: 'ecs:service:DesiredCount',
      resourceId: Fn.join('/', ['service', worker.cluster.ref, worker.service.attrName]),
      minCapacity: MinWorkers.valueAsString as unknown as number, // a template may spell it as text
      maxCapacity: MaxWorkers.valueAsString as unknown as number,
    });
    const policy = (name: string, cooldown: number, stepAdjustments: CfnScalingPolicy.StepAdjustmentProperty[]) =>
      new CfnScalingPolicy(this, name, {
        policyName: name,
        policyType: 'StepScaling',
        scalingTargetId: target.ref,
        stepScalingPolicyConfiguration: {
          adjustmentType: 'ChangeInCapacity',
          cooldown,
          metricAggregationType: 'Maximum',
          stepAdjustments,
        },
      });
    // Bounds are counted from the alarm's threshold.
    const more = policy('More', 180, [
      { metricIntervalLowerBound: 0, metricIntervalUpperBound: MANY_WAITING - WAITING, scalingAdjustment: 1 },
      { metricIntervalLowerBound: MANY_WAITING - WAITING, scalingAdjustment: 2 },
    ]);
    const fewer = policy('Fewer', 300, [{ metricIntervalUpperBound: 0, scalingAdjustment: -1 }]);
    const metric = {
      namespace: QUEUE_METRIC.namespace,
      metricName: QUEUE_METRIC.name,
      dimensions: [{ name: QUEUE_METRIC.dimension, value: DEFAULT_TASK_QUEUE }],
      period: 60,
    };
    new CfnAlarm(this, 'TasksWait', {
      alarmDescription: 'Tasks wait for a worker: one is added',
      ...metric,
      statistic: 'Maximum',
      comparisonOperator: 'GreaterThanOrEqualToThreshold',
      threshold: WAITING,
      evaluationPeriods: 3,
      treatMissingData: 'notBreaching',
      alarmActions: [more.ref],
    });
    new CfnAlarm(this, 'NothingWaits', {
      alarmDescription: 'Nothing has waited for a quarter of an hour: one worker is taken away',
      ...metric,
      statistic: 'Maximum',
      comparisonOperator: 'LessThanThreshold',
      threshold: 1,
      evaluationPeriods: 15,
      treatMissingData: 'notBreaching',
      alarmActions: [fewer.ref],
    });

    const works = new CfnCondition(this, 'Works', {
      expression: Fn.conditionNot(Fn.conditionEquals(MaxWorkers.valueAsString, '0')),
    });
    works.overrideLogicalId('HasWorkers');
    const silent = new CfnAlarm(this, 'NoWorker', {
      alarmDescription:
        'No worker has reported for ten minutes: cycles wait. Look at the events of the service and the logs of its tasks',
      ...metric,
      statistic: 'SampleCount',
      comparisonOperator: 'LessThanThreshold',
      threshold: 1,
      evaluationPeriods: 10,
      treatMissingData: 'breaching',
      alarmActions: [imported(DataStack, 'MeridianOutcomeTopicArn')],
      okActions: [imported(DataStack, 'MeridianOutcomeTopicArn')],
    });
    silent.cfnOptions.condition = works;
  }
}
