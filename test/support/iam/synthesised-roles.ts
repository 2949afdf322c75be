import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { MeridianStack } from '../../../infra/aws/meridian-stack';
import { pipelines } from '../../../pipelines';
import { type IamTemplate, nameOf, RolePolicies } from './role-policies';
import { type RoleRow, rolesPage } from './roles-page';

interface RoleProperties {
  readonly Description?: string;
  readonly AssumeRolePolicyDocument: { readonly Statement: readonly { readonly Principal: Readonly<Record<string, unknown>> }[] };
}

/** Roles and policies of the template, as `infra/aws` makes it now. */
export function synthesisedRoles(): { readonly rows: readonly RoleRow[]; readonly policies: RolePolicies; readonly page: string } {
  const template = Template.fromStack(new MeridianStack(new App({ analyticsReporting: false }), 'Meridian', { pipelines }));
  const roles = template.findResources('AWS::IAM::Role') as Readonly<Record<string, { readonly Properties: RoleProperties }>>;
  const rows = Object.entries(roles).map(([id, { Properties }]) => ({
    name: nameOf(id),
    trusted: principalsOf(Properties),
    description: Properties.Description ?? '',
  }));
  const policies = new RolePolicies(template.toJSON() as IamTemplate);
  return { rows, policies, page: rolesPage(rows, policies) };
}

function principalsOf({ AssumeRolePolicyDocument: { Statement } }: RoleProperties): string {
  const names = Statement.flatMap(({ Principal }) => Object.values(Principal)).map((principal) => {
    if (typeof principal === 'string') return principal;
    const { Ref, 'Fn::GetAtt': attribute } = principal as { readonly Ref?: string; readonly 'Fn::GetAtt'?: readonly [string, string] };
    return Ref === undefined ? nameOf(attribute?.[0] ?? '') : `the service of the parameter ${Ref}`;
  });
  return [...new Set(names)].join(', ');
}
