import type { Stack } from 'aws-cdk-lib';

/** What CloudFormation may do in one service, to make, read, change and delete the resources of our templates there. */
export interface ServicePermission {
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  /** Why a resource with a wildcard cannot be named more closely. */
  readonly why: string;
  readonly conditions?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
}

/** CloudFormation names resources by their stack; the deployment stack's own are in none of these. */
const STACKS = ['Meridian', 'MeridianRuntime', 'MeridianMonitoring'] as const;
const NAMED = 'CloudFormation draws the rest of the name: the stack is the prefix, and no resource of another stack has it';
const DRAWN = 'AWS draws the id, so that no name says beforehand which resource is meant';
const UNNAMED = 'The action knows no resources: it is asked for before there is one, or lists all';

const of = (service: string, ...verbs: readonly string[]) => verbs.map((verb) => `${service}:${verb}`);

/** Of the data stack: the lake, its tables, queues, topics, catalog and engines. No action reads or writes an object, an item or a message. */
export function dataPermissions(stack: Stack): readonly ServicePermission[] {
  const arn = (service: string, resource: string) => stack.formatArn({ service, resource });
  return [
    {
      actions: of(
        's3',
        ...['CreateBucket', 'DeleteBucket', 'ListBucket', 'GetBucketLocation', 'GetBucketPolicy', 'PutBucketPolicy', 'DeleteBucketPolicy'],
        ...['BucketVersioning', 'BucketNotification', 'BucketOwnershipControls', 'BucketPublicAccessBlock', 'BucketTagging'].flatMap((name) => [`Get${name}`, `Put${name}`]),
        ...['EncryptionConfiguration', 'LifecycleConfiguration', 'ReplicationConfiguration'].flatMap((name) => [`Get${name}`, `Put${name}`]),
      ),
      resources: [stack.formatArn({ service: 's3', region: '', account: '', resource: 'meridian-*' })],
      why: NAMED,
    },
    {
      actions: of('dynamodb', 'CreateTable', 'DeleteTable', 'DescribeTable', 'UpdateTable', 'DescribeTimeToLive', 'UpdateTimeToLive', 'DescribeContinuousBackups', 'UpdateContinuousBackups', 'DescribeContributorInsights', 'ListTagsOfResource', 'TagResource', 'UntagResource'),
      resources: [arn('dynamodb', 'table/Meridian-*')],
      why: NAMED,
    },
    {
      actions: of('sqs', 'CreateQueue', 'DeleteQueue', 'GetQueueAttributes', 'SetQueueAttributes', 'ListQueueTags', 'TagQueue', 'UntagQueue'),
      resources: [arn('sqs', 'Meridian-*')],
      why: NAMED,
    },
    {
      actions: of('sns', 'CreateTopic', 'DeleteTopic', 'GetTopicAttributes', 'SetTopicAttributes', 'Subscribe', 'Unsubscribe', 'GetSubscriptionAttributes', 'SetSubscriptionAttributes', 'ListSubscriptionsByTopic', 'ListTagsForResource', 'TagResource', 'UntagResource'),
      resources: [arn('sns', 'Meridian-*'), arn('sns', 'MeridianMonitoring-*')],
      why: NAMED,
    },
    {
      actions: of('events', 'PutRule', 'DeleteRule', 'DescribeRule', 'PutTargets', 'RemoveTargets', 'ListTargetsByRule', 'ListTagsForResource', 'TagResource', 'UntagResource'),
      resources: [arn('events', 'rule/Meridian-*')],
      why: NAMED,
    },
    {
      actions: of('glue', 'CreateDatabase', 'DeleteDatabase', 'GetDatabase', 'UpdateDatabase', 'CreateTable', 'DeleteTable', 'GetTable', 'UpdateTable'),
      resources: [arn('glue', 'catalog'), arn('glue', 'database/meridian'), arn('glue', 'table/meridian/*')],
      why: 'Tables of this one database: one for each pipeline, whose name nobody knows yet',
    },
    {
      actions: of('glue', 'CreateDataQualityRuleset', 'DeleteDataQualityRuleset', 'GetDataQualityRuleset', 'UpdateDataQualityRuleset', 'GetTags', 'TagResource', 'UntagResource'),
      resources: [arn('glue', 'dataQualityRuleset/*')],
      why: 'Rulesets are named by their pipeline and content, which change with every declaration',
    },
    {
      actions: of('ecr', 'CreateRepository', 'DeleteRepository', 'DescribeRepositories', 'GetRepositoryPolicy', 'SetRepositoryPolicy', 'DeleteRepositoryPolicy', 'GetLifecyclePolicy', 'PutLifecyclePolicy', 'DeleteLifecyclePolicy', 'PutImageScanningConfiguration', 'PutImageTagMutability', 'ListTagsForResource', 'TagResource', 'UntagResource'),
      resources: [arn('ecr', 'repository/meridian-*')],
      why: NAMED,
    },
    { actions: of('emr-serverless', 'CreateApplication'), resources: [arn('emr-serverless', '/*')], why: DRAWN },
    {
      actions: of('emr-serverless', 'GetApplication', 'UpdateApplication', 'StopApplication', 'DeleteApplication', 'ListTagsForResource', 'TagResource', 'UntagResource'),
      resources: [arn('emr-serverless', '/applications/*')],
      why: DRAWN,
    },
    {
      actions: of('kms', 'CreateKey'),
      resources: ['*'],
      why: UNNAMED,
    },
    {
      actions: of('kms', 'DescribeKey', 'GetKeyPolicy', 'PutKeyPolicy', 'GetKeyRotationStatus', 'EnableKeyRotation', 'ScheduleKeyDeletion', 'ListResourceTags', 'TagResource', 'UntagResource', 'UpdateKeyDescription'),
      resources: [arn('kms', 'key/*')],
      why: DRAWN,
      // Never by itself: only in the account whose stack this is.
      conditions: { StringEquals: { 'kms:CallerAccount': stack.account } },
    },
  ];
}

/** Of the runtime stack: its network, PostgreSQL, tasks and logs. A network's parts have drawn ids: here CloudFormation stays wide. */
export function runtimePermissions(stack: Stack): readonly ServicePermission[] {
  const arn = (service: string, resource: string) => stack.formatArn({ service, resource });
  const logs = (name: string) => `${arn('logs', `log-group:${name}`)}`;
  return [
    {
      actions: of(
        'ec2',
        ...['Vpc', 'Subnet', 'RouteTable', 'Route', 'InternetGateway', 'NatGateway', 'SecurityGroup', 'FlowLogs', 'VpcEndpoint'].map((name) => `Create${name}`),
        ...['Vpc', 'Subnet', 'RouteTable', 'Route', 'InternetGateway', 'NatGateway', 'SecurityGroup', 'FlowLogs', 'VpcEndpoints'].map((name) => `Delete${name}`),
        ...['ModifyVpcAttribute', 'ModifySubnetAttribute', 'ModifyVpcEndpoint', 'AssociateRouteTable', 'DisassociateRouteTable', 'AttachInternetGateway', 'DetachInternetGateway'],
        ...['AllocateAddress', 'ReleaseAddress', 'DisassociateAddress', 'CreateTags', 'DeleteTags'],
        ...['AuthorizeSecurityGroupEgress', 'AuthorizeSecurityGroupIngress', 'RevokeSecurityGroupEgress', 'RevokeSecurityGroupIngress'],
        ...['Vpcs', 'VpcAttribute', 'Subnets', 'RouteTables', 'InternetGateways', 'NatGateways', 'Addresses', 'SecurityGroups', 'SecurityGroupRules', 'FlowLogs', 'VpcEndpoints', 'AvailabilityZones', 'NetworkInterfaces'].map((name) => `Describe${name}`),
      ),
      resources: ['*'],
      why: 'Most of these know no resource before it is made, and its id is drawn: the widest part, in a region of its own account',
      conditions: { StringEquals: { 'aws:RequestedRegion': stack.region } },
    },
    {
      actions: of('rds', 'CreateDBCluster', 'DeleteDBCluster', 'ModifyDBCluster', 'DescribeDBClusters', 'CreateDBInstance', 'DeleteDBInstance', 'ModifyDBInstance', 'DescribeDBInstances', 'CreateDBClusterParameterGroup', 'DeleteDBClusterParameterGroup', 'ModifyDBClusterParameterGroup', 'DescribeDBClusterParameterGroups', 'DescribeDBClusterParameters', 'CreateDBSubnetGroup', 'DeleteDBSubnetGroup', 'ModifyDBSubnetGroup', 'DescribeDBSubnetGroups', 'CreateDBClusterSnapshot', 'AddTagsToResource', 'RemoveTagsFromResource', 'ListTagsForResource'),
      resources: ['cluster', 'db', 'cluster-pg', 'subgrp', 'cluster-snapshot'].map((kind) => arn('rds', `${kind}:meridianruntime-*`)),
      why: NAMED,
    },
    {
      actions: of('secretsmanager', 'CreateSecret', 'TagResource', 'DescribeSecret'),
      resources: [arn('secretsmanager', 'secret:rds!cluster-*')],
      why: "The database's own secret, which RDS names by the cluster that it draws; its value is read by nobody here",
    },
    {
      actions: of('ecs', 'CreateCluster', 'DeleteCluster', 'DescribeClusters', 'UpdateCluster', 'CreateService', 'DeleteService', 'UpdateService', 'DescribeServices', 'ListTagsForResource', 'TagResource', 'UntagResource'),
      resources: [arn('ecs', 'cluster/MeridianRuntime-*'), arn('ecs', 'service/MeridianRuntime-*'), arn('ecs', 'task-definition/MeridianRuntime-worker:*')],
      why: NAMED,
    },
    { actions: of('ecs', 'RegisterTaskDefinition', 'DeregisterTaskDefinition', 'DescribeTaskDefinition'), resources: ['*'], why: UNNAMED },
    {
      actions: of('application-autoscaling', 'RegisterScalableTarget', 'DeregisterScalableTarget', 'DescribeScalableTargets', 'PutScalingPolicy', 'DeleteScalingPolicy', 'DescribeScalingPolicies', 'ListTagsForResource', 'TagResource'),
      resources: ['*'],
      why: 'Scalable targets have drawn ids, and the actions that list them know no resources',
      conditions: { StringEqualsIfExists: { 'application-autoscaling:service-namespace': 'ecs' } },
    },
    {
      actions: of('logs', 'CreateLogGroup', 'DeleteLogGroup', 'PutRetentionPolicy', 'DeleteRetentionPolicy', 'AssociateKmsKey', 'DisassociateKmsKey', 'ListTagsForResource', 'TagResource', 'UntagResource'),
      resources: [logs('MeridianRuntime-*')],
      why: NAMED,
    },
    { actions: of('logs', 'DescribeLogGroups', 'DescribeIndexPolicies'), resources: ['*'], why: UNNAMED },
  ];
}

/** Roles of all stacks, alarms, dashboards and the budget. */
export function sharedPermissions(stack: Stack): readonly ServicePermission[] {
  const arn = (service: string, resource: string) => stack.formatArn({ service, resource });
  const global = (service: string, resource: string) => stack.formatArn({ service, region: '', resource });
  const roles = STACKS.map((name) => global('iam', `role/${name}-*`));
  return [
    {
      actions: of('iam', 'CreateRole', 'DeleteRole', 'GetRole', 'UpdateRole', 'UpdateRoleDescription', 'UpdateAssumeRolePolicy', 'PutRolePolicy', 'DeleteRolePolicy', 'GetRolePolicy', 'ListRolePolicies', 'ListAttachedRolePolicies', 'TagRole', 'UntagRole'),
      resources: roles,
      why: NAMED,
    },
    {
      actions: of('iam', 'PassRole'),
      resources: roles,
      why: NAMED,
      conditions: { StringEquals: { 'iam:PassedToService': ['emr-serverless.amazonaws.com', 'ecs-tasks.amazonaws.com', 's3.amazonaws.com', 'vpc-flow-logs.amazonaws.com'] } },
    },
    {
      actions: of('iam', 'CreateServiceLinkedRole'),
      resources: ['ecs', 'rds', 'ecs.application-autoscaling'].map((service) => global('iam', `role/aws-service-role/${service}.amazonaws.com/*`)),
      why: 'AWS names these roles and their policies itself; without them its service cannot start',
    },
    {
      actions: of('cloudwatch', 'PutMetricAlarm', 'DeleteAlarms', 'DescribeAlarms', 'ListTagsForResource', 'TagResource', 'UntagResource'),
      resources: [arn('cloudwatch', 'alarm:meridian-*'), ...STACKS.map((name) => arn('cloudwatch', `alarm:${name}-*`))],
      why: NAMED,
    },
    {
      actions: of('cloudwatch', 'PutDashboard', 'GetDashboard', 'DeleteDashboards'),
      resources: [global('cloudwatch', 'dashboard/MeridianMonitoring')],
      why: '',
    },
    { actions: of('budgets', 'ViewBudget', 'ModifyBudget', 'ListTagsForResource', 'TagResource', 'UntagResource'), resources: [global('budgets', 'budget/*')], why: DRAWN },
  ];
}
