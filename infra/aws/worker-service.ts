import { Aws, CfnCondition, Fn, RemovalPolicy } from 'aws-cdk-lib';
import { CfnSecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { CfnCluster, CfnService } from 'aws-cdk-lib/aws-ecs';
import { CfnLogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { acceptFinding } from './accepted-findings';
import type { WorkerServiceProps } from './worker-service-props';
import { WorkerTask } from './worker-task';

const LOG_DAYS = 30;

/**
 * The workers: as many tasks of Fargate as their task queue asks for (S1.9). A release whose tasks do not become healthy is rolled
 * back by the service itself, while the tasks of the release before go on.
 */
export class WorkerService extends Construct {
  readonly cluster: CfnCluster;
  readonly service: CfnService;
  readonly group: CfnSecurityGroup;
  readonly logs: CfnLogGroup;

  constructor(scope: Construct, id: string, { parameters, network, database }: WorkerServiceProps) {
    super(scope, id);
    const port = parameters.TemporalPort;
    const otherPort = new CfnCondition(this, 'OtherPort', {
      expression: Fn.conditionNot(Fn.conditionEquals(port.valueAsString, '443')),
    });
    otherPort.overrideLogicalId('TemporalOnOwnPort');
    this.group = new CfnSecurityGroup(this, 'Group', {
      groupDescription: 'Meridian: the worker, which nobody connects to',
      vpcId: network.vpcId,
      securityGroupEgress: [
        {
          description: 'AWS, and Temporal where it has no port of its own',
          ipProtocol: 'tcp',
          fromPort: 443,
          toPort: 443,
          cidrIp: '0.0.0.0/0',
        },
        Fn.conditionIf(
          otherPort.logicalId,
          {
            Description: 'Temporal',
            IpProtocol: 'tcp',
            FromPort: port.valueAsNumber,
            ToPort: port.valueAsNumber,
            CidrIp: '0.0.0.0/0',
          },
          { Ref: 'AWS::NoValue' },
        ),
        database.egress,
      ],
    });
    this.logs = new CfnLogGroup(this, 'Logs', { retentionInDays: LOG_DAYS });
    this.logs.applyRemovalPolicy(RemovalPolicy.DESTROY);
    this.cluster = new CfnCluster(this, 'Cluster', {
      clusterSettings: [{ name: 'containerInsights', value: 'disabled' }],
    });
    acceptFinding(this.cluster, 'ECS4', 'Container Insights are some twenty metrics to pay for (S2.27); the backlog and the alarm of missing workers say what they would');
    const { definition } = new WorkerTask(this, 'Task', { parameters, database, logs: this.logs });
    this.service = new CfnService(this, 'Service', {
      serviceName: Fn.join('-', [Aws.STACK_NAME, 'worker']),
      cluster: this.cluster.ref,
      taskDefinition: definition.ref,
      launchType: 'FARGATE',
      platformVersion: '1.4.0',
      // No count of tasks: an update would set it back to what scaling left behind.
      enableExecuteCommand: false,
      propagateTags: 'SERVICE',
      networkConfiguration: {
        awsvpcConfiguration: {
          subnets: network.workerSubnets,
          securityGroups: [this.group.attrGroupId, database.clients.attrGroupId],
          assignPublicIp: network.assignPublicIp,
        },
      },
      deploymentConfiguration: {
        minimumHealthyPercent: 100,
        maximumPercent: 200,
        deploymentCircuitBreaker: { enable: true, rollback: true },
      },
    });
  }
}
