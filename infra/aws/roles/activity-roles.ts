import { CfnParameter, Stack } from 'aws-cdk-lib';
import { ArnPrincipal, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { ACTIVITY_GROUP_NAMES, ACTIVITY_GROUPS, type ActivityGroup, type Grant, ROLE_OUTPUTS, type RoleOutput } from '../../../domain/activity-groups';
import type { ActivityRolesProps } from './activity-roles-props';
import { targetArns } from './grant-targets';

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

  private roleOf(group: ActivityGroup, props: ActivityRolesProps): Role {
    const { does, grants }: { readonly does: string; readonly grants: readonly Grant[] } = ACTIVITY_GROUPS[group];
    const role = new Role(this, group.charAt(0).toUpperCase() + group.slice(1), {
      // IAM takes no typographic apostrophe.
      description: `Meridian, ${group}: ${does.replaceAll('’', "'")}`,
      assumedBy: new ArnPrincipal(this.worker.roleArn),
    });
    for (const { actions, on, when } of grants) {
      role.addToPolicy(
        new PolicyStatement({
          actions: [...actions],
          resources: on.flatMap((target) => targetArns(Stack.of(this), props, target)),
          ...(when === undefined ? {} : { conditions: when }),
        }),
      );
    }
    return role;
  }
}
