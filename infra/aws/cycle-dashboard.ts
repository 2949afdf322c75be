import { Fn, Stack } from 'aws-cdk-lib';
import { CfnDashboard } from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { STAGES } from '../../domain/cycle';
import { METRIC_NAMESPACE, METRICS } from '../../domain/metrics';
import { cycleFailedAlarm, gateFailedAlarm, UNREAD_EVENTS_ALARM } from './alarm-names';
import type { CycleDashboardProps } from './cycle-dashboard-props';
import { type Graph, row, type Series, type Widget } from './dashboard-widgets';

const HOUR = 3_600;
const FIVE_MINUTES = 300;
const ALARMS_HEIGHT = 3;
const OUTCOMES = [METRICS.promoted, METRICS.empty, METRICS.rejected, METRICS.blocked, METRICS.failed, METRICS.cancelled, METRICS.held, METRICS.upToDate, METRICS.gateFailed];
const RECORDS = [METRICS.recordsStored, METRICS.recordsDuplicate, METRICS.recordsQuarantined];
const BILLED = [METRICS.sparkVcpuHours, METRICS.sparkMemoryGbHours, METRICS.sparkStorageGbHours];

/** The one dashboard (S4.20): the alarms, the engines that all pipelines share, and a row a pipeline. */
export class CycleDashboard extends Construct {
  constructor(scope: Construct, id: string, props: CycleDashboardProps) {
    super(scope, id);
    const stack = Stack.of(this);
    const alarms = [UNREAD_EVENTS_ALARM, ...props.pipelines.flatMap(({ name }) => [gateFailedAlarm(name), cycleFailedAlarm(name)])];
    const widgets: Widget[] = [
      {
        type: 'alarm',
        ...{ x: 0, y: 0, width: 24, height: ALARMS_HEIGHT },
        properties: { title: 'Alarms', alarms: alarms.map((name) => stack.formatArn({ service: 'cloudwatch', resource: `alarm:${name}` })) },
      },
    ];
    let y = ALARMS_HEIGHT;
    for (const [title, graphs] of [['All pipelines', engines(props)] as const, ...props.pipelines.map(({ name }) => [name, cycles(name)] as const)]) {
      const { widgets: more, next } = row(title, graphs, y, stack.region);
      widgets.push(...more);
      y = next;
    }
    new CfnDashboard(this, 'Board', { dashboardName: stack.stackName, dashboardBody: stack.toJsonString({ widgets }) });
  }
}

/** What all pipelines share. Spark's capacity is a sum over its kinds of workers, whose names EMR gives. */
function engines({ applicationId, tables, queueUrl, deadLetterQueueName }: CycleDashboardProps): readonly Graph[] {
  const worker = '{AWS/EMRServerless,ApplicationId,ApplicationName,CapacityAllocationType,WorkerType}';
  const allocated = (metric: string, label: string): Series => [
    { expression: `SUM(SEARCH('${worker} MetricName="${metric}" ApplicationId="${applicationId}"', 'Maximum', ${FIVE_MINUTES}))`, label },
  ];
  const queue = Fn.select(4, Fn.split('/', queueUrl)); // https://host/account/name
  const ofTables = (metrics: readonly string[]): readonly Series[] =>
    Object.entries(tables).flatMap(([label, table]) => metrics.map((metric) => ['AWS/DynamoDB', metric, 'TableName', table, { label: `${label} ${metric}` }] as const));
  return [
    { title: 'Spark: vCPU and GB in use', metrics: [allocated('CPUAllocated', 'vCPU'), allocated('MemoryAllocated', 'GB')], stat: 'Maximum', period: FIVE_MINUTES },
    {
      title: 'Events that wait, and that nobody could read',
      metrics: [
        ['AWS/SQS', 'ApproximateNumberOfMessagesVisible', 'QueueName', queue, { label: 'waiting' }],
        ['AWS/SQS', 'ApproximateNumberOfMessagesVisible', 'QueueName', deadLetterQueueName, { label: 'unread' }],
      ],
      stat: 'Maximum',
      period: FIVE_MINUTES,
    },
    { title: 'DynamoDB units', metrics: ofTables(['ConsumedReadCapacityUnits', 'ConsumedWriteCapacityUnits']), stat: 'Sum', period: FIVE_MINUTES },
    { title: 'DynamoDB throttles', metrics: ofTables(['ReadThrottleEvents', 'WriteThrottleEvents']), stat: 'Sum', period: FIVE_MINUTES },
  ];
}

/** One pipeline's cycles, by the hour. */
function cycles(pipeline: string): readonly Graph[] {
  const of = (name: string): Series => [METRIC_NAMESPACE, name, 'Pipeline', pipeline];
  return [
    { title: 'Outcomes', metrics: OUTCOMES.map(of), stat: 'Sum', period: HOUR },
    { title: 'Records', metrics: RECORDS.map(of), stat: 'Sum', period: HOUR, stacked: true },
    {
      title: 'Seconds by stage',
      metrics: STAGES.map((stage) => [METRIC_NAMESPACE, METRICS.stageSeconds, 'Pipeline', pipeline, 'Stage', stage, { label: stage }]),
      stat: 'Maximum',
      period: HOUR,
      stacked: true,
    },
    { title: 'Spark: hours that are billed', metrics: BILLED.map(of), stat: 'Sum', period: HOUR },
  ];
}
