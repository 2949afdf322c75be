import { Aws, CfnCondition, type CfnResource, Fn, type ICfnConditionExpression, RemovalPolicy, Tags, Token } from 'aws-cdk-lib';
import {
  CfnEIP,
  CfnFlowLog,
  CfnInternetGateway,
  CfnNatGateway,
  CfnRoute,
  CfnRouteTable,
  CfnSubnet,
  CfnSubnetRouteTableAssociation,
  CfnVPC,
  CfnVPCGatewayAttachment,
} from 'aws-cdk-lib/aws-ec2';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnLogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { NetworkProps } from './network-props';

/** Aurora asks for two; a worker needs one. */
const ZONES = [0, 1] as const;
const SUBNET_BITS = '7'; // 128 addresses each, of which AWS keeps five

/**
 * The network of the worker and its database: an existing one, or a new one of two zones. Nothing in it can be connected to from
 * outside. A NAT gateway, which costs by the hour, is made only where asked for (S2.27): without it the worker leaves by a public
 * address of its own, that its security group closes to everyone.
 */
export class Network extends Construct {
  readonly vpcId: string;
  /** Where the worker runs. */
  readonly workerSubnets: string[];
  /** Where the database is. */
  readonly privateSubnets: string[];
  /** `ENABLED` or `DISABLED`. */
  readonly assignPublicIp: string;
  /** True where the stack makes the network. */
  readonly isNew: CfnCondition;
  /** The new network itself: of no meaning where there is none. */
  readonly made: { readonly vpcId: string; readonly privateSubnets: string[]; readonly routeTables: string[] };

  constructor(scope: Construct, id: string, { parameters }: NetworkProps) {
    super(scope, id);
    const { VpcId, SubnetIds, NetworkCidr, Egress, FlowLogs } = parameters;
    const condition = (name: string, expression: ICfnConditionExpression) => {
      const made = new CfnCondition(this, name, { expression });
      made.overrideLogicalId(name);
      return made;
    };
    this.isNew = condition('NewNetwork', Fn.conditionEquals(VpcId.valueAsString, ''));
    const byNat = condition(
      'LeavesByNatGateway',
      Fn.conditionAnd(this.isNew, Fn.conditionEquals(Egress.valueAsString, 'nat-gateway')),
    );
    const byAddress = condition(
      'LeavesByPublicAddress',
      Fn.conditionAnd(this.isNew, Fn.conditionEquals(Egress.valueAsString, 'public-address')),
    );
    const hasSubnets = condition('HasSubnets', Fn.conditionNot(Fn.conditionEquals(SubnetIds.valueAsString, '')));
    const logged = condition(
      'LogsTraffic',
      Fn.conditionAnd(this.isNew, Fn.conditionEquals(FlowLogs.valueAsString, 'true')),
    );

    const vpc = made(
      new CfnVPC(this, 'Vpc', {
        cidrBlock: NetworkCidr.valueAsString,
        enableDnsHostnames: true,
        enableDnsSupport: true,
      }),
      this.isNew,
    );
    Tags.of(vpc).add('Name', 'meridian');
    const blocks = Fn.cidr(NetworkCidr.valueAsString, 2 * ZONES.length, SUBNET_BITS);
    const gateway = made(new CfnInternetGateway(this, 'Gateway'), this.isNew);
    const attached = made(
      new CfnVPCGatewayAttachment(this, 'Attachment', { vpcId: vpc.ref, internetGatewayId: gateway.ref }),
      this.isNew,
    );
    const routes = (name: string) => made(new CfnRouteTable(this, `${name}Routes`, { vpcId: vpc.ref }), this.isNew);
    const subnets = (name: string, table: CfnRouteTable, first: number) =>
      ZONES.map((zone) => {
        const subnet = made(
          new CfnSubnet(this, `${name}${zone}`, {
            vpcId: vpc.ref,
            availabilityZone: Fn.select(zone, Fn.getAzs()),
            cidrBlock: Fn.select(first + zone, blocks),
            mapPublicIpOnLaunch: false, // the service asks for its own
          }),
          this.isNew,
        );
        made(
          new CfnSubnetRouteTableAssociation(this, `${name}${zone}Routed`, {
            subnetId: subnet.ref,
            routeTableId: table.ref,
          }),
          this.isNew,
        );
        return subnet.ref;
      });
    const publicRoutes = routes('Public');
    const privateRoutes = routes('Private');
    const publicSubnets = subnets('Public', publicRoutes, 0);
    const privateSubnets = subnets('Private', privateRoutes, ZONES.length);

    made(
      new CfnRoute(this, 'PublicWay', {
        routeTableId: publicRoutes.ref,
        destinationCidrBlock: '0.0.0.0/0',
        gatewayId: gateway.ref,
      }),
      this.isNew,
    ).addResourceDependency(attached);
    const address = made(new CfnEIP(this, 'NatAddress', { domain: 'vpc' }), byNat);
    address.addResourceDependency(attached);
    const nat = made(
      new CfnNatGateway(this, 'Nat', { subnetId: publicSubnets[0] ?? '', allocationId: address.attrAllocationId }),
      byNat,
    );
    made(
      new CfnRoute(this, 'PrivateWay', {
        routeTableId: privateRoutes.ref,
        destinationCidrBlock: '0.0.0.0/0',
        natGatewayId: nat.ref,
      }),
      byNat,
    );
    this.logTraffic(vpc, logged);

    // Given with the network alone, as the rules see to.
    const theirs = (mine: unknown) => Token.asList(Fn.conditionIf(hasSubnets.logicalId, Fn.split(',', SubnetIds.valueAsString), mine));
    this.vpcId = Fn.conditionIf(this.isNew.logicalId, vpc.ref, VpcId.valueAsString).toString();
    this.privateSubnets = theirs(privateSubnets);
    this.workerSubnets = theirs(Fn.conditionIf(byNat.logicalId, privateSubnets, publicSubnets));
    this.assignPublicIp = Fn.conditionIf(byAddress.logicalId, 'ENABLED', 'DISABLED').toString();
    this.made = { vpcId: vpc.ref, privateSubnets, routeTables: [publicRoutes.ref, privateRoutes.ref] };
  }

  /** Who connected to whom, kept for a month. */
  private logTraffic(vpc: CfnVPC, condition: CfnCondition): void {
    const group = made(new CfnLogGroup(this, 'Traffic', { retentionInDays: 30 }), condition);
    group.applyRemovalPolicy(RemovalPolicy.DESTROY);
    const role = new Role(this, 'TrafficRole', {
      description: 'Meridian: logs the traffic of its network',
      assumedBy: new ServicePrincipal('vpc-flow-logs.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
      }),
    });
    role.addToPolicy(
      new PolicyStatement({
        actions: ['logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents'],
        resources: [group.attrArn],
      }),
    );
    for (const part of role.node.findAll()) if (isResource(part)) made(part, condition);
    made(
      new CfnFlowLog(this, 'TrafficLog', {
        resourceId: vpc.ref,
        resourceType: 'VPC',
        trafficType: 'ALL',
        logDestinationType: 'cloud-watch-logs',
        logGroupName: group.ref,
        deliverLogsPermissionArn: role.roleArn,
      }),
      condition,
    );
  }
}

function isResource(construct: object): construct is CfnResource {
  return 'cfnOptions' in construct;
}

/** The same resource, made only where `condition` holds. */
function made<T extends CfnResource>(resource: T, condition: CfnCondition): T {
  resource.cfnOptions.condition = condition;
  return resource;
}
