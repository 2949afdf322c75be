import { BootstraplessSynthesizer, CfnParameter, type IStackSynthesizer, Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { StackOutput } from '../../domain/stack-outputs';
import { AlarmSubscribers } from './alarm-subscribers';
import { CycleDashboard } from './cycle-dashboard';
import { FreshnessAlarms } from './freshness-alarms';
import { imported } from './imported';
import type { MonitoringStackProps } from './monitoring-stack-props';
import { MonthlyBudget } from './monthly-budget';

/**
 * What people look at and who is told (S2.18, S4.19, S4.20, X11). A stack of its own: who is on call changes without touching the data
 * stack, whose outputs it imports by name.
 * @see docs/decisions/0026-what-costs-money-is-a-parameter.md
 */
export class MonitoringStack extends Stack {
  constructor(scope: Construct, id: string, { pipelines }: MonitoringStackProps) {
    super(scope, id, {
      // The cast: CDK's types are not written for exactOptionalPropertyTypes.
      synthesizer: new BootstraplessSynthesizer() as IStackSynthesizer,
      description: 'Meridian: dashboard, subscribers of the alarms, budget',
    });
    const dataStack = new CfnParameter(this, 'DataStack', {
      type: 'String',
      default: 'Meridian',
      allowedPattern: '^[A-Za-z][A-Za-z0-9-]{0,127}$',
      description: 'The stack with buckets, tables and roles, of the same region',
    });
    const output = (name: StackOutput | 'DeadLetterQueueName') => imported(dataStack, name);
    const topicArn = output('MeridianOutcomeTopicArn');
    new AlarmSubscribers(this, 'Subscribers', { topicArn });
    new MonthlyBudget(this, 'Budget', { topicArn });
    new FreshnessAlarms(this, 'Freshness', { pipelines, topicArn });
    new CycleDashboard(this, 'Dashboard', {
      pipelines,
      applicationId: output('MeridianEmrApplicationId'),
      tables: { ledger: output('MeridianLedgerTable'), objects: output('MeridianObjectsTable') },
      queueUrl: output('MeridianEventQueueUrl'),
      deadLetterQueueName: output('DeadLetterQueueName'),
    });
  }
}
