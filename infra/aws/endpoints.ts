import { Aws, CfnCondition, Fn } from 'aws-cdk-lib';
import { CfnSecurityGroup, CfnVPCEndpoint } from 'aws-cdk-lib/aws-ec2';
import { Construct } from 'constructs';
import type { EndpointsProps } from './endpoints-props';

/** What a worker asks for beside S3 and DynamoDB, and what Fargate asks for to start one. */
const INTERFACES = [
  'ecr.api',
  'ecr.dkr',
  'emr-serverless',
  'glue',
  'logs',
  'monitoring',
  'secretsmanager',
  'sns',
  'sqs',
  'sts',
];

/** Ways from a new network to AWS that do not pass the internet. Those to S3 and DynamoDB cost nothing; the others cost by the hour (S2.27). */
export class Endpoints extends Construct {
  constructor(scope: Construct, id: string, { parameters, network, clients }: EndpointsProps) {
    super(scope, id);
    for (const service of ['s3', 'dynamodb']) {
      const endpoint = new CfnVPCEndpoint(this, service, {
        vpcId: network.made.vpcId,
        serviceName: serviceName(service),
        vpcEndpointType: 'Gateway',
        routeTableIds: network.made.routeTables,
      });
      endpoint.cfnOptions.condition = network.isNew;
    }
    const inside = new CfnCondition(this, 'Inside', {
      expression: Fn.conditionAnd(
        network.isNew,
        Fn.conditionEquals(parameters.InterfaceEndpoints.valueAsString, 'true'),
      ),
    });
    inside.overrideLogicalId('ReachesAwsInside');
    const group = new CfnSecurityGroup(this, 'Group', {
      groupDescription: 'Meridian: AWS, for the worker alone',
      vpcId: network.made.vpcId,
      securityGroupIngress: [
        { description: 'the worker', ipProtocol: 'tcp', fromPort: 443, toPort: 443, sourceSecurityGroupId: clients },
      ],
      // An empty list would allow everything.
      securityGroupEgress: [{ description: 'nothing', ipProtocol: '-1', cidrIp: '127.0.0.1/32' }],
    });
    group.cfnOptions.condition = inside;
    for (const service of INTERFACES) {
      const endpoint = new CfnVPCEndpoint(this, service, {
        vpcId: network.made.vpcId,
        serviceName: serviceName(service),
        vpcEndpointType: 'Interface',
        privateDnsEnabled: true,
        subnetIds: network.made.privateSubnets,
        securityGroupIds: [group.attrGroupId],
      });
      endpoint.cfnOptions.condition = inside;
    }
  }
}

function serviceName(service: string): string {
  return `com.amazonaws.${Aws.REGION}.${service}`;
}
