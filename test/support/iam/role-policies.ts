/** A statement with every intrinsic function replaced by a readable name of what it stands for. */
export interface ResolvedStatement {
  readonly role: string;
  readonly effect: 'Allow' | 'Deny';
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly conditions: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** One request, as IAM sees it. `context`: condition keys that the request carries. */
export interface AccessRequest {
  readonly action: string;
  readonly resource: string;
  readonly context?: Readonly<Record<string, string>>;
}

/** As synthesised. */
export interface IamTemplate {
  readonly Resources: Readonly<Record<string, Resource>>;
  readonly Outputs?: Readonly<Record<string, { readonly Value: unknown }>>;
}
interface Resource {
  readonly Type: string;
  readonly Condition?: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
}
interface RawStatement {
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: string | readonly string[];
  readonly Resource?: unknown;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

const TOPIC = 'AWS::SNS::Topic';
export const ACCOUNT = '111122223333';
export const REGION = 'eu-central-1';
const PSEUDO: Readonly<Record<string, string>> = { 'AWS::Partition': 'aws', 'AWS::Region': REGION, 'AWS::AccountId': ACCOUNT, 'AWS::StackName': 'Meridian', 'AWS::URLSuffix': 'amazonaws.com' };
/** ARNs by the type of the resource; the name is the logical id without CDK's hash. */
const ARN: Readonly<Record<string, (name: string) => string>> = {
  'AWS::S3::Bucket': (name) => `arn:aws:s3:::${name}`,
  'AWS::DynamoDB::Table': (name) => `arn:aws:dynamodb:${REGION}:${ACCOUNT}:table/${name}`,
  'AWS::EMRServerless::Application': (name) => `arn:aws:emr-serverless:${REGION}:${ACCOUNT}:/applications/${name}`,
  'AWS::SNS::Topic': (name) => `arn:aws:sns:${REGION}:${ACCOUNT}:${name}`,
  'AWS::SQS::Queue': (name) => `arn:aws:sqs:${REGION}:${ACCOUNT}:${name}`,
  'AWS::IAM::Role': (name) => `arn:aws:iam::${ACCOUNT}:role/${name}`,
  'AWS::Logs::LogGroup': (name) => `arn:aws:logs:${REGION}:${ACCOUNT}:log-group:${name}`,
  'AWS::ECR::Repository': (name) => `arn:aws:ecr:${REGION}:${ACCOUNT}:repository/${name}`,
  'AWS::SecretsManager::Secret': (name) => `arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:${name}`,
  'AWS::KMS::Key': (name) => `arn:aws:kms:${REGION}:${ACCOUNT}:key/${name}`,
};

/** `LakeRaw` of `LakeRaw7A4D9F01`. */
export function nameOf(logicalId: string): string {
  return logicalId.replace(/[0-9A-F]{8}$/, '');
}

/** What every role of a template may do by its policies, in the template's own names. */
export class RolePolicies {
  readonly roles: readonly string[];
  readonly statements: readonly ResolvedStatement[];
  private readonly resolver: Resolver;
  /** The value of an output of the template, in the same names. */
  readonly output: (key: string) => string;

  /** @param templates - of stacks that one deployment consists of */
  constructor(...templates: readonly IamTemplate[]) {
    const resources = Object.assign({}, ...templates.map(({ Resources }) => Resources)) as IamTemplate['Resources'];
    const outputs = Object.assign({}, ...templates.map(({ Outputs }) => Outputs ?? {})) as NonNullable<IamTemplate['Outputs']>;
    const resolver = new Resolver(resources, outputs);
    this.resolver = resolver;
    this.output = (key) => resolver.text(outputs[key]?.Value ?? '');
    this.roles = Object.keys(resources).filter((id) => resources[id]?.Type === 'AWS::IAM::Role').map(nameOf);
    this.statements = Object.entries(resources).flatMap(([id, resource]) => statementsOf(id, resource, resolver));
  }

  /** What a name stands for in which references are written as cdk-nag writes them: `<LakeRaw7A4D9F01.Arn>/*`. */
  resolved(text: string): string {
    return text.replace(/<([^>]+)>/g, (_, reference: string) => {
      const [id = '', attribute] = reference.split('.');
      return this.resolver.text(attribute === undefined ? { Ref: id } : { 'Fn::GetAtt': [id, attribute] });
    });
  }

  of(role: string): readonly ResolvedStatement[] {
    return this.statements.filter((statement) => statement.role === role);
  }

  /** Whether the role's identity policies allow it: a Deny that applies wins, and what nobody allows is denied. */
  allows(role: string, request: AccessRequest): boolean {
    const applying = this.of(role).filter((statement) => applies(statement, request));
    return applying.some(({ effect }) => effect === 'Allow') && !applying.some(({ effect }) => effect === 'Deny');
  }

  /** Of all that the role is allowed, what this request needs. */
  grantsOf(role: string, request: AccessRequest): readonly string[] {
    return this.of(role)
      .filter((statement) => applies(statement, request))
      .flatMap(({ resources }) => resources.filter((pattern) => matches(pattern, request.resource)).map((pattern) => grantName(request.action, pattern)));
  }
}

/** `s3:GetObject on arn:aws:s3:::LakeRaw/*` */
export function grantName(action: string, resource: string): string {
  return `${action} on ${resource}`;
}

function statementsOf(id: string, { Type, Properties = {} }: Resource, resolver: Resolver): readonly ResolvedStatement[] {
  const documentsOf = (policies: unknown) => (policies as { readonly PolicyDocument: { readonly Statement: readonly RawStatement[] } }[] | undefined) ?? [];
  const found =
    Type === 'AWS::IAM::Policy'
      ? documentsOf([Properties]).map(({ PolicyDocument }) => ({ roles: resolver.roleNames(Properties['Roles']), document: PolicyDocument }))
      : Type === 'AWS::IAM::Role'
        ? documentsOf(Properties['Policies']).map(({ PolicyDocument }) => ({ roles: [nameOf(id)], document: PolicyDocument }))
        : [];
  return found.flatMap(({ roles, document }) =>
    roles.flatMap((role) =>
      document.Statement.map((statement) => ({
        role,
        effect: statement.Effect,
        actions: listOf(statement.Action).map(String),
        resources: listOf(statement.Resource).map((each) => resolver.text(each)),
        conditions: resolver.conditions(statement.Condition ?? {}),
      })),
    ),
  );
}

class Resolver {
  constructor(
    private readonly resources: Readonly<Record<string, Resource>>,
    private readonly outputs: NonNullable<IamTemplate['Outputs']>,
  ) {}

  /** Of an export of one of the stacks: its name ends in the output's. */
  private imported(name: string): string {
    const key = Object.keys(this.outputs).find((output) => name.endsWith(output));
    return this.text(key === undefined ? name : (this.outputs[key]?.Value ?? name));
  }

  private typeOf(id: unknown): string {
    return this.resources[String(id)]?.Type ?? '';
  }

  private arnOf(id: unknown): string | undefined {
    return ARN[this.typeOf(id)]?.(nameOf(String(id)));
  }

  roleNames(references: unknown): readonly string[] {
    return listOf(references).map((reference) => nameOf((reference as { readonly Ref: string }).Ref));
  }

  conditions(given: Readonly<Record<string, Readonly<Record<string, unknown>>>>): ResolvedStatement['conditions'] {
    const keysOf = (keys: Readonly<Record<string, unknown>>) => Object.fromEntries(Object.entries(keys).map(([key, value]) => [key, this.text(value)]));
    return Object.fromEntries(Object.entries(given).map(([operator, keys]) => [operator, keysOf(keys)]));
  }

  /** @throws Error for an intrinsic function that it does not know */
  text(value: unknown): string {
    if (typeof value === 'string') return value;
    const [[intrinsic, argument] = ['', undefined]] = Object.entries(value as Readonly<Record<string, unknown>>);
    // A topic's reference is its ARN, others' are names.
    if (intrinsic === 'Ref') return PSEUDO[argument as string] ?? (this.typeOf(argument) === TOPIC ? this.arnOf(argument) : undefined) ?? nameOf(argument as string);
    if (intrinsic === 'Fn::Join') {
      const [separator, parts] = argument as readonly [string, readonly unknown[]];
      return parts.map((part) => this.text(part)).join(separator);
    }
    if (intrinsic === 'Fn::GetAtt') {
      const [id, attribute] = argument as readonly [string, string];
      const arn = attribute === 'Arn' || attribute === 'TopicArn' ? this.arnOf(id) : undefined;
      if (arn !== undefined) return arn;
      if (attribute !== 'Arn') return nameOf(id);
    }
    // With every option taken, so that what a role may at most is seen.
    if (intrinsic === 'Fn::If') return this.text((argument as readonly unknown[])[1]);
    if (intrinsic === 'Fn::ImportValue') return this.imported(this.text(argument));
    if (intrinsic === 'Fn::Sub' && typeof argument === 'string') return argument.replace(/\$\{([^}]+)\}/g, (_, id: string) => this.text({ Ref: id }));
    throw new Error(`Nothing is known of ${JSON.stringify(value)} in a policy: add it to test/support/iam/role-policies.ts`);
  }
}

function applies({ actions, resources, conditions }: ResolvedStatement, { action, resource, context = {} }: AccessRequest): boolean {
  return (
    actions.some((pattern) => matches(pattern.toLowerCase(), action.toLowerCase())) &&
    resources.some((pattern) => matches(pattern, resource)) &&
    Object.entries(conditions).every(([operator, keys]) => Object.entries(keys).every(([key, wanted]) => holds(operator, wanted, context[key])))
  );
}

/** A key that a request does not carry satisfies no operator. */
function holds(operator: string, wanted: string, found: string | undefined): boolean {
  if (found === undefined) return false;
  if (operator === 'StringEquals') return wanted === found;
  if (operator === 'StringLike' || operator === 'ArnLike') return matches(wanted, found);
  throw new Error(`The condition operator ${operator} is not known: add it to test/support/iam/role-policies.ts`);
}

/** IAM's wildcards: `*` for any characters, slashes too, and `?` for one. */
function matches(pattern: string, text: string): boolean {
  if (!/[*?]/.test(pattern)) return pattern === text;
  const expression = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '[^]*').replaceAll('?', '[^]');
  return new RegExp(`^${expression}$`).test(text);
}

function listOf(value: unknown): readonly unknown[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
}
