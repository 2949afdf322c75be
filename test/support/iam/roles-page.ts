import { ACTIVITY_GROUP_NAMES, ACTIVITY_GROUPS } from '../../../domain/activity-groups';
import { ACCOUNT, type AccessRequest, REGION, type ResolvedStatement, type RolePolicies } from './role-policies';

const aws = (service: string, resource: string) => `arn:aws:${service}:${REGION}:${ACCOUNT}:${resource}`;
const s3 = (resource: string) => `arn:aws:s3:::${resource}`;
const role = (name: string) => `arn:aws:iam::${ACCOUNT}:role/${name}`;

/** What no role may do, each asked of every one: a grant that reaches one of them shows. */
export const NEVER: readonly AccessRequest[] = [
  { action: 's3:PutObject', resource: s3('LakeRaw/x') },
  { action: 's3:DeleteObject', resource: s3('LakeRaw/x') },
  ...['Raw', 'Storage', 'Artifacts'].map((zone) => ({ action: 's3:DeleteObjectVersion', resource: s3(`Lake${zone}/x`) })),
  { action: 's3:DeleteObject', resource: s3('LakeArtifacts/cycles/x') },
  { action: 's3:DeleteObject', resource: s3('LakeArtifacts/archive/histories/x') },
  { action: 's3:GetObject', resource: s3('LakeArtifacts/archive/histories/x') },
  { action: 's3:PutObject', resource: s3('LakeArtifacts/jobs/x') },
  { action: 's3:PutObject', resource: s3('LakeArtifacts/reference/x') },
  { action: 's3:PutBucketPolicy', resource: s3('LakeRaw') },
  { action: 's3:DeleteBucket', resource: s3('LakeStorage') },
  { action: 'dynamodb:Scan', resource: aws('dynamodb', 'table/DedupLedger') },
  { action: 'dynamodb:DeleteTable', resource: aws('dynamodb', 'table/DedupLedger') },
  { action: 'emr-serverless:UpdateApplication', resource: aws('emr-serverless', '/applications/SparkApplication') },
  { action: 'glue:DeleteTable', resource: aws('glue', 'table/meridian/x') },
  { action: 'sns:Subscribe', resource: aws('sns', 'OutcomesTopic') },
  { action: 'sqs:PurgeQueue', resource: aws('sqs', 'ArrivalsQueue') },
  { action: 'cloudwatch:PutMetricData', resource: '*', context: { 'cloudwatch:namespace': 'AWS/EC2' } },
  { action: 'iam:PassRole', resource: role('SparkJobRole'), context: { 'iam:PassedToService': 'lambda.amazonaws.com' } },
  { action: 'iam:PassRole', resource: role('DedupJobRole'), context: { 'iam:PassedToService': 'lambda.amazonaws.com' } },
  { action: 'iam:PassRole', resource: role('RolesWorker'), context: { 'iam:PassedToService': 'emr-serverless.amazonaws.com' } },
  { action: 'iam:CreateRole', resource: role('x') },
  { action: 'iam:PutRolePolicy', resource: role('RolesWorker') },
  { action: 'sts:AssumeRole', resource: role('SparkJobRole') },
  { action: 'sts:AssumeRole', resource: role('DedupJobRole') },
  { action: 'sts:AssumeRole', resource: role('x') },
];

export interface RoleRow {
  readonly name: string;
  readonly trusted: string;
  readonly description: string;
}

/** `docs/roles.md`: who may do what, computed from the policies. */
export function rolesPage(rows: readonly RoleRow[], policies: RolePolicies, found: readonly Wildcard[]): string {
  return [
    '# Who may do what in AWS',
    '',
    'Written by `npm run roles-page` from the synthesised template, and held to it by `test/infra/roles.test.ts`: a permission that comes or',
    'goes changes this page. Names are the template’s logical ids. Why so: `docs/decisions/0023-a-role-for-each-group-of-activities.md`.',
    '',
    '## Roles',
    '',
    '| role | taken by | what for |',
    '|---|---|---|',
    ...rows.map(({ name, trusted, description }) => `| ${name} | ${trusted} | ${description} |`),
    '',
    'The activities of each group, by `domain/activity-groups.ts`; all others call no AWS:',
    '',
    ...ACTIVITY_GROUP_NAMES.filter((group) => ACTIVITY_GROUPS[group].activities.length > 0).map((group) => `- **${group}**: ${[...ACTIVITY_GROUPS[group].activities].sort().join(', ')}`),
    '',
    '## Allowed and denied',
    '',
    '`+` allowed, `.` denied. A row is asked of every role as IAM would evaluate its policies; `*` stands for any one name.',
    '',
    ...matrix(rows.map(({ name }) => name), policies),
    '',
    '## Denied to all',
    '',
    ...NEVER.map(({ action, resource, context = {} }) => `- ${action} on \`${shortened(resource)}\`${whenOf(context)}`),
    '',
    '## Wildcards',
    '',
    'No action has one. Of resources:',
    '',
    '| pattern | why | roles |',
    '|---|---|---|',
    ...found.map(({ pattern, why, roles }) => `| \`${pattern}\` | ${why} | ${roles.join(', ')} |`),
    '',
  ].join('\n');
}

/** A pattern that stands for more than one thing. */
export interface Wildcard {
  readonly pattern: string;
  /** As the code that grants it says; empty: it does not. */
  readonly why: string;
  readonly roles: readonly string[];
}

/** Every wildcard of actions and resources. @param reasonOf - why the role has it, as far as that is said */
export function wildcardsOf({ statements }: RolePolicies, reasonOf: (role: string, pattern: string) => string | undefined): readonly Wildcard[] {
  const roles = new Map<string, Set<string>>();
  for (const { role, actions, resources } of statements) {
    for (const pattern of [...actions, ...resources].filter((text) => /[*?]/.test(text))) {
      const line = JSON.stringify([shortened(pattern), reasonOf(role, pattern) ?? '']);
      roles.set(line, (roles.get(line) ?? new Set()).add(role));
    }
  }
  return [...roles].sort(([one], [other]) => (one < other ? -1 : 1)).map(([line, of]) => {
    const [pattern, why] = JSON.parse(line) as [string, string];
    return { pattern, why, roles: [...of].sort() };
  });
}

interface Row {
  readonly request: AccessRequest;
  readonly shown: string;
}

/** A request for everything that somebody is granted. */
function grantedRequests(statements: readonly ResolvedStatement[]): readonly Row[] {
  const rows = new Map<string, Row>();
  for (const { actions, resources, conditions } of statements) {
    const context = Object.assign({}, ...Object.values(conditions)) as Readonly<Record<string, string>>;
    for (const action of actions) {
      for (const resource of resources) {
        const shown = `\`${shortened(resource)}\`${whenOf(context)}`;
        const sampled = Object.fromEntries(Object.entries(context).map(([key, value]) => [key, value.replaceAll('*', 'x')]));
        rows.set(`${shown} ${action}`, { request: { action, resource: resource === '*' ? '*' : resource.replaceAll('*', 'x'), context: sampled }, shown });
      }
    }
  }
  return [...rows.values()].sort((one, other) => (one.shown + one.request.action < other.shown + other.request.action ? -1 : 1));
}

/** Actions of a service on one resource that the same roles may do share a line. */
function matrix(roles: readonly string[], policies: RolePolicies): readonly string[] {
  const lines = new Map<string, string[]>();
  for (const { request, shown } of grantedRequests(policies.statements)) {
    const verdicts = roles.map((name) => (policies.allows(name, request) ? '+' : '.')).join(' | ');
    const [service = '', action = ''] = request.action.split(':');
    const line = `${service}: … | ${shown} | ${verdicts} |`;
    lines.set(line, [...(lines.get(line) ?? []), action]);
  }
  return [
    `| actions | on | ${roles.join(' | ')} |`,
    `|---|---|${roles.map(() => ':-:|').join('')}`,
    ...[...lines].map(([line, actions]) => `| ${line.replace('…', actions.join(', '))}`),
  ];
}

function whenOf(context: Readonly<Record<string, string>>): string {
  const keys = Object.entries(context).map(([key, value]) => `${key} is ${value}`);
  return keys.length === 0 ? '' : ` when ${keys.join(' and ')}`;
}

/** Without what every ARN here has in common. */
function shortened(resource: string): string {
  return resource.replace(/^arn:aws:s3:::/, '').replace(/^arn:aws:([a-z0-9-]+):[a-z0-9-]*:\d{12}:/, '$1:');
}
