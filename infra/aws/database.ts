import { CfnCondition, CfnDeletionPolicy, type CfnResource, Fn, RemovalPolicy, Token } from 'aws-cdk-lib';
import { CfnSecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { CfnDBCluster, CfnDBClusterParameterGroup, CfnDBInstance, CfnDBSubnetGroup } from 'aws-cdk-lib/aws-rds';
import { Construct } from 'constructs';
import { acceptFinding } from './accepted-findings';
import type { DatabaseProps } from './database-props';

/** The major version that every test runs on; from 15.7 on a cluster can pause at no capacity. @see Aurora, "Scaling to Zero ACUs" */
const ENGINE_VERSION = '15.17';
const FAMILY = 'aurora-postgresql15';
/** An hour without a connection: the pool of a worker closes its own after seconds. */
const PAUSE_AFTER_SECONDS = 3600;

/**
 * PostgreSQL: an existing one, or a cluster of Aurora Serverless v2 that pauses when nobody connects (S2.27). RDS makes and rotates
 * its password, which no template and no person sees.
 */
export class Database extends Construct {
  readonly host: string;
  /** ARN of the secret with `username` and `password`. */
  readonly secretArn: string;
  /** The same, in a list of which only what exists is left. */
  readonly secretArns: readonly string[];
  /** A member of this group may connect to the cluster; an existing database lets it in itself. */
  readonly clients: CfnSecurityGroup;
  /** What the worker's connections to the database may go to. */
  readonly egress: CfnSecurityGroup.EgressProperty;

  constructor(scope: Construct, id: string, { parameters, network }: DatabaseProps) {
    super(scope, id);
    const {
      PostgresHost,
      PostgresPort,
      PostgresSecretArn,
      PostgresCidr,
      PostgresDatabase,
      AuroraMaxAcu,
      AuroraDeletionProtection,
    } = parameters;
    const isNew = new CfnCondition(this, 'IsNew', {
      expression: Fn.conditionNot(Fn.conditionEquals(AuroraMaxAcu.valueAsString, '')),
    });
    isNew.overrideLogicalId('NewDatabase');
    const port = PostgresPort.valueAsNumber;
    this.clients = new CfnSecurityGroup(this, 'Clients', {
      groupDescription: 'Meridian: who may connect to its PostgreSQL',
      vpcId: network.vpcId,
      securityGroupEgress: [{ description: 'nothing', ipProtocol: '-1', cidrIp: '127.0.0.1/32' }],
    });
    const group = new CfnSecurityGroup(this, 'Group', {
      groupDescription: 'Meridian: PostgreSQL, for its clients alone',
      vpcId: network.vpcId,
      securityGroupIngress: [
        {
          description: 'PostgreSQL',
          ipProtocol: 'tcp',
          fromPort: port,
          toPort: port,
          sourceSecurityGroupId: this.clients.attrGroupId,
        },
      ],
      securityGroupEgress: [{ description: 'nothing', ipProtocol: '-1', cidrIp: '127.0.0.1/32' }],
    });
    const subnets = new CfnDBSubnetGroup(this, 'Subnets', {
      dbSubnetGroupDescription: 'Meridian',
      subnetIds: network.privateSubnets,
    });
    const settings = new CfnDBClusterParameterGroup(this, 'Settings', {
      family: FAMILY,
      description: 'Meridian',
      // A statement that failed is logged with the record that it was about.
      parameters: {
        'rds.force_ssl': '1',
        log_min_error_statement: 'panic',
        log_error_verbosity: 'terse',
        timezone: 'UTC',
      },
    });
    const cluster = new CfnDBCluster(this, 'Cluster', {
      engine: 'aurora-postgresql',
      engineVersion: ENGINE_VERSION,
      databaseName: PostgresDatabase.valueAsString,
      port,
      masterUsername: 'meridian',
      manageMasterUserPassword: true,
      serverlessV2ScalingConfiguration: {
        minCapacity: 0,
        maxCapacity: Token.asNumber(AuroraMaxAcu.value),
        secondsUntilAutoPause: PAUSE_AFTER_SECONDS,
      },
      dbClusterParameterGroupName: settings.ref,
      dbSubnetGroupName: subnets.ref,
      vpcSecurityGroupIds: [group.attrGroupId],
      storageEncrypted: true,
      enableIamDatabaseAuthentication: true,
      backupRetentionPeriod: 14,
      copyTagsToSnapshot: true,
      deletionProtection: AuroraDeletionProtection.valueAsString as unknown as boolean, // a template may spell it as text
    });
    acceptFinding(cluster, 'RDS10', 'Protected unless the parameter AuroraDeletionProtection says otherwise, which a person sets before taking the stack away');
    acceptFinding(cluster, 'RDS11', 'Nobody but members of one security group reaches the port, which another number would not hide from them');
    cluster.cfnOptions.deletionPolicy = CfnDeletionPolicy.SNAPSHOT;
    cluster.cfnOptions.updateReplacePolicy = CfnDeletionPolicy.SNAPSHOT;
    const instance = new CfnDBInstance(this, 'Instance', {
      engine: 'aurora-postgresql',
      dbClusterIdentifier: cluster.ref,
      dbInstanceClass: 'db.serverless',
      publiclyAccessible: false,
      autoMinorVersionUpgrade: true,
    });
    instance.applyRemovalPolicy(RemovalPolicy.DESTROY); // the data are the cluster's
    for (const resource of [group, subnets, settings, cluster, instance] satisfies CfnResource[])
      resource.cfnOptions.condition = isNew;

    const either = (mine: unknown, theirs: unknown) => Fn.conditionIf(isNew.logicalId, mine, theirs);
    this.host = either(cluster.attrEndpointAddress, PostgresHost.valueAsString).toString();
    this.secretArn = either(cluster.attrMasterUserSecretSecretArn, PostgresSecretArn.valueAsString).toString();
    const isGiven = new CfnCondition(this, 'IsGiven', { expression: Fn.conditionNot(Fn.conditionEquals(PostgresSecretArn.valueAsString, '')) });
    isGiven.overrideLogicalId('HasPostgres');
    this.secretArns = [
      either(cluster.attrMasterUserSecretSecretArn, { Ref: 'AWS::NoValue' }).toString(),
      Fn.conditionIf(isGiven.logicalId, PostgresSecretArn.valueAsString, { Ref: 'AWS::NoValue' }).toString(),
    ];
    this.egress = {
      description: 'PostgreSQL',
      ipProtocol: 'tcp',
      fromPort: port,
      toPort: port,
      destinationSecurityGroupId: either(group.attrGroupId, { Ref: 'AWS::NoValue' }).toString(),
      cidrIp: either({ Ref: 'AWS::NoValue' }, PostgresCidr.valueAsString).toString(),
    };
  }
}
