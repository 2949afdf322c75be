import { readFileSync } from 'node:fs';
import { meridianTemplates } from '../../checks/meridian-templates';
import { excusesIn } from '../../checks/nag-report';
import { type IamTemplate, nameOf, RolePolicies } from './role-policies';
import { type RoleRow, rolesPage, type Wildcard, wildcardsOf } from './roles-page';

interface RoleProperties {
  readonly Description?: string;
  readonly AssumeRolePolicyDocument: { readonly Statement: readonly { readonly Principal: Readonly<Record<string, unknown>> }[] };
}

/** Roles and policies of every stack, as `infra/aws` makes them now. */
export interface SynthesisedRoles {
  readonly rows: readonly RoleRow[];
  readonly policies: RolePolicies;
  readonly wildcards: readonly Wildcard[];
  readonly page: string;
}

export function synthesisedRoles(): SynthesisedRoles {
  const { app, files, remove } = meridianTemplates();
  const templates = [...files.values()].map((file) => JSON.parse(readFileSync(file, 'utf8')) as IamTemplate);
  remove();
  const rows = templates.flatMap(({ Resources }) =>
    Object.entries(Resources)
      .filter(([, { Type }]) => Type === 'AWS::IAM::Role')
      .map(([id, { Properties, Condition }]) => rowOf(id, Properties as unknown as RoleProperties, Condition)),
  );
  const policies = new RolePolicies(...templates);
  const excuses = excusesIn(app).flatMap(({ rule, path, reason }) => {
    const [, resource] = /^AwsSolutions-IAM5\[Resource::(.*)\]$/.exec(rule) ?? [];
    // A construct's path without its stack is how its logical id begins.
    return resource === undefined ? [] : [{ pattern: policies.resolved(resource), granter: path.split('/').slice(1).join(''), reason }];
  });
  const wildcards = wildcardsOf(policies, (role, pattern) => excuses.find((excuse) => excuse.pattern === pattern && role.startsWith(excuse.granter))?.reason);
  return { rows, policies, wildcards, page: rolesPage(rows, policies, wildcards) };
}

function rowOf(id: string, properties: RoleProperties, condition: string | undefined): RoleRow {
  const only = condition === undefined ? '' : ` (only with \`${condition}\`)`;
  return { name: nameOf(id), trusted: principalsOf(properties), description: `${properties.Description ?? ''}${only}` };
}

function principalsOf({ AssumeRolePolicyDocument: { Statement } }: RoleProperties): string {
  const names = Statement.flatMap(({ Principal }) => Object.values(Principal)).map((principal) => {
    if (typeof principal === 'string') return principal;
    const { Ref, 'Fn::GetAtt': attribute } = principal as { readonly Ref?: string; readonly 'Fn::GetAtt'?: readonly [string, string] };
    return Ref === undefined ? nameOf(attribute?.[0] ?? '') : `the service of the parameter ${Ref}`;
  });
  return [...new Set(names)].join(', ');
}
