import type { Stack } from 'aws-cdk-lib';
import { DEPLOYED_STACKS, DRAWN, NAMED, of, type ServicePermission } from './service-permission';

/** Roles of all stacks, alarms, dashboards and the budget. */
export function sharedPermissions(stack: Stack): readonly ServicePermission[] {
  const arn = (service: string, resource: string) => stack.formatArn({ service, resource });
  const global = (service: string, resource: string) => stack.formatArn({ service, region: '', resource });
  const roles = DEPLOYED_STACKS.map((name) => global('iam', `role/${name}-*`));
  return [
    {
      actions: of(
        'iam',
        'CreateRole',
        'DeleteRole',
        'GetRole',
        'UpdateRole',
        'UpdateRoleDescription',
        'UpdateAssumeRolePolicy',
        'PutRolePolicy',
        'DeleteRolePolicy',
        'GetRolePolicy',
        'ListRolePolicies',
        'ListAttachedRolePolicies',
        'TagRole',
        'UntagRole',
      ),
      resources: roles,
      why: NAMED,
    },
    {
      actions: of('iam', 'PassRole'),
      resources: roles,
      why: NAMED,
      conditions: {
        StringEquals: {
          'iam:PassedToService': [
            'emr-serverless.amazonaws.com',
            'ecs-tasks.amazonaws.com',
            's3.amazonaws.com',
            'vpc-flow-logs.amazonaws.com',
          ],
        },
      },
    },
    {
      actions: of('iam', 'CreateServiceLinkedRole'),
      resources: ['ecs', 'rds', 'ecs.application-autoscaling'].map((service) =>
        global('iam', `role/aws-service-role/${service}.amazonaws.com/*`),
      ),
      why: 'AWS names these roles and their policies itself; without them its service cannot start',
    },
    {
      actions: of('cloudwatch', 'PutMetricAlarm', 'DeleteAlarms', 'DescribeAlarms', 'ListTagsForResource', 'TagResource', 'UntagResource'),
      resources: [arn('cloudwatch', 'alarm:meridian-*'), ...DEPLOYED_STACKS.map((name) => arn('cloudwatch', `alarm:${name}-*`))],
      why: NAMED,
    },
    {
      actions: of('cloudwatch', 'PutDashboard', 'GetDashboard', 'DeleteDashboards'),
      resources: [global('cloudwatch', 'dashboard/MeridianMonitoring')],
      why: '',
    },
    {
      actions: of('budgets', 'ViewBudget', 'ModifyBudget', 'ListTagsForResource', 'TagResource', 'UntagResource'),
      resources: [global('budgets', 'budget/*')],
      why: DRAWN,
    },
  ];
}
