import { CfnParameter, Stack } from 'aws-cdk-lib';
import { ArnPrincipal, PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { ACTIVITY_GROUP_NAMES, ACTIVITY_GROUPS, type ActivityGroup, type Grant, type GrantTarget, ROLE_OUTPUTS, type RoleOutput, ZONES } from '../../../domain/activity-groups';
import { acceptWildcards } from '../accepted-findings';
import type { ActivityRolesProps } from './activity-roles-props';
import { targetArns, wildcardReason } from './grant-targets';

/**
 * A role for each group of activities, made from the groups' declaration, and the worker's own, which may take those roles and nothing
 * else (S1.13, S2.21): what reaches a worker's process without its code, such as its credentials, opens one door at a time.
 */
export class ActivityRoles extends Construct {
  /** What the worker runs as. */
  readonly worker: Role;
  readonly groups: Readonly<Record<ActivityGroup, Role>>;

  constructor(scope: Construct, id: string, props: ActivityRolesProps) {
    super(scope, id);
    const principal = new CfnParameter(this, 'Principal', {
      type: 'String',
      default: 'ecs-tasks.amazonaws.com',
      allowedValues: ['ecs-tasks.amazonaws.com', 'ec2.amazonaws.com', 'pods.eks.amazonaws.com'],
      description: 'The service that runs the worker',
    });
    principal.overrideLogicalId('WorkerServicePrincipal');
    this.worker = new Role(this, 'Worker', {
      description: 'Meridian: the Temporal worker, which takes the roles of its activities',
      assumedBy: new ServicePrincipal(principal.valueAsString).withSessionTags(),
    });
    this.groups = Object.fromEntries(ACTIVITY_GROUP_NAMES.map((group) => [group, this.roleOf(group, props)])) as Record<ActivityGroup, Role>;
    this.worker.addToPolicy(
      new PolicyStatement({ actions: ['sts:AssumeRole'], resources: Object.values(this.groups).map(({ roleArn }) => roleArn) }),
    );
  }

  /** The ARN of each group's role, by the stack output that carries it. */
  get outputs(): Readonly<Record<RoleOutput, string>> {
    return Object.fromEntries(ACTIVITY_GROUP_NAMES.map((group) => [ROLE_OUTPUTS[group], this.groups[group].roleArn])) as Record<RoleOutput, string>;
  }

  /** Roles that read or write what the lake's key may encrypt: buckets and topics. */
  get ofData(): readonly Role[] {
    return this.having((target) => target === 'outcome-topic' || ZONES.some((zone) => target.startsWith(zone)));
  }

  get ofTables(): readonly Role[] {
    return this.having((target) => target === 'ledger-table' || target === 'objects-table');
  }

  private having(isMeant: (target: GrantTarget) => boolean): readonly Role[] {
    const groups = ACTIVITY_GROUP_NAMES.filter((group) => grantsOf(group).some(({ on }) => on.some(isMeant)));
    return groups.map((group) => this.groups[group]);
  }

  private roleOf(group: ActivityGroup, props: ActivityRolesProps): Role {
    const { does } = ACTIVITY_GROUPS[group];
    const granted = grantsOf(group).flatMap(({ actions, on, when }) =>
      on.map((target) => ({ target, statement: new PolicyStatement({ actions: [...actions], resources: [...targetArns(Stack.of(this), props, target)], conditions: { ...when } }) })),
    );
    const role = new Role(this, group.charAt(0).toUpperCase() + group.slice(1), {
      // IAM takes no typographic apostrophe.
      description: `Meridian, ${group}: ${does.replaceAll('’', "'")}`,
      assumedBy: new ArnPrincipal(this.worker.roleArn),
      // Within the role: a resource of its own for each would take the template past what CreateStack takes.
      inlinePolicies: { calls: new PolicyDocument({ statements: granted.map(({ statement }) => statement), minimize: true }) },
    });
    for (const { target, statement } of granted) acceptWildcards(role, wildcardReason(target), ...statement.resources);
    return role;
  }
}

function grantsOf(group: ActivityGroup): readonly Grant[] {
  return ACTIVITY_GROUPS[group].grants;
}
