import { Stack } from 'aws-cdk-lib';
import { ManagedPolicy, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { acceptWildcards } from './accepted-findings';
import { dataPermissions } from './data-permissions';
import { runtimePermissions } from './runtime-permissions';
import type { ServicePermission } from './service-permission';
import { sharedPermissions } from './shared-permissions';

/**
 * What CloudFormation works as when it deploys our stacks: whoever starts a deployment needs none of these permissions, and nobody can
 * take the role itself. It makes and deletes resources of our stacks' names; it reads no object, item, message or secret (S2.21, S2.26).
 */
export class CloudFormationRole extends Construct {
  readonly role: Role;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    const stack = Stack.of(this);
    this.role = new Role(this, 'Role', {
      description: 'Meridian: CloudFormation, deploying its stacks',
      assumedBy: new ServicePrincipal('cloudformation.amazonaws.com'),
      // Managed: all of them together are longer than a role's own policies may be.
      managedPolicies: [
        this.policy('Data', dataPermissions(stack)),
        this.policy('Runtime', runtimePermissions(stack)),
        this.policy('Shared', sharedPermissions(stack)),
      ],
    });
  }

  private policy(id: string, permissions: readonly ServicePermission[]): ManagedPolicy {
    const policy = new ManagedPolicy(this, id, {
      description: `Meridian: CloudFormation, resources of the kind ${id.toLowerCase()}`,
      statements: permissions.map(
        ({ actions, resources, conditions }) =>
          new PolicyStatement({ actions: [...actions], resources: [...resources], ...(conditions === undefined ? {} : { conditions }) }),
      ),
    });
    const reasons = new Map<string, string>();
    for (const { resources, why } of permissions) for (const resource of resources) if (!reasons.has(resource)) reasons.set(resource, why);
    for (const [resource, why] of reasons) acceptWildcards(policy, why, resource);
    return policy;
  }
}
