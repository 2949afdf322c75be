import { Duration, Fn, Stack } from 'aws-cdk-lib';
import { PolicyStatement, Role, WebIdentityPrincipal } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { acceptWildcards } from './accepted-findings';
import type { GitHubRoleProps } from './github-role-props';
import { DEPLOYED_STACKS } from './service-permission';

/** Where GitHub's tokens come from. */
export const GITHUB_ISSUER = 'token.actions.githubusercontent.com';

/**
 * What a deployment from GitHub runs as, without a key that anybody keeps: it plans and starts deployments of our stacks, hands them to
 * CloudFormation's role, and uploads templates and job code. It deletes no stack and creates no resource itself (S2.26).
 */
export class GitHubRole extends Construct {
  readonly role: Role;

  constructor(scope: Construct, id: string, { repository, subject, providerArn, cloudFormationRole, templates }: GitHubRoleProps) {
    super(scope, id);
    const stack = Stack.of(this);
    const stackArn = (name: string) => stack.formatArn({ service: 'cloudformation', resource: `stack/${name}/*` });
    const stacks = DEPLOYED_STACKS.map(stackArn);
    const jobs = stack.formatArn({ service: 's3', region: '', account: '', resource: 'meridian-lakeartifacts*/jobs/*' });
    this.role = new Role(this, 'Role', {
      description: 'Meridian: deployments from GitHub',
      maxSessionDuration: Duration.hours(1),
      assumedBy: new WebIdentityPrincipal(providerArn, {
        StringEquals: {
          [`${GITHUB_ISSUER}:aud`]: 'sts.amazonaws.com',
          [`${GITHUB_ISSUER}:sub`]: Fn.join('', ['repo:', repository, ':', subject]),
        },
      }),
    });
    const allow = (actions: readonly string[], resources: readonly string[], conditions?: Readonly<Record<string, unknown>>) =>
      this.role.addToPolicy(
        new PolicyStatement({ actions: [...actions], resources: [...resources], ...(conditions === undefined ? {} : { conditions }) }),
      );
    allow(['cloudformation:CreateChangeSet'], stacks, { StringEquals: { 'cloudformation:RoleArn': cloudFormationRole.roleArn } });
    allow(
      ['DescribeChangeSet', 'ExecuteChangeSet', 'DeleteChangeSet', 'DescribeStackEvents', 'GetTemplate', 'ListStackResources'].map(
        (verb) => `cloudformation:${verb}`,
      ),
      stacks,
    );
    allow(['cloudformation:DescribeStacks'], [...stacks, stackArn('MeridianDeployment')]);
    allow(['iam:PassRole'], [cloudFormationRole.roleArn], { StringEquals: { 'iam:PassedToService': 'cloudformation.amazonaws.com' } });
    // CloudFormation fetches a template as whoever asks.
    allow(['s3:GetObject', 's3:PutObject'], [templates.arnForObjects('templates/*')]);
    allow(['s3:PutObject'], [jobs]);
    // With LakeEncryption=kms: S3 asks for a data key in the name of whoever uploads, and names the bucket, since the bucket has a key of its own.
    // @see S3, "Reducing the cost of SSE-KMS with Amazon S3 Bucket Keys": the encryption context is the bucket's ARN
    const keys = stack.formatArn({ service: 'kms', resource: 'key/*' });
    allow(['kms:GenerateDataKey'], [keys], {
      StringEquals: { 'kms:ViaService': `s3.${stack.region}.amazonaws.com` },
      StringLike: { 'kms:EncryptionContext:aws:s3:arn': stack.formatArn({ service: 's3', region: '', account: '', resource: 'meridian-lakeartifacts*' }) },
    });
    acceptWildcards(this.role, 'The key of the lake is drawn by KMS: which one it may be, S3 and the bucket in the condition say', keys);
    acceptWildcards(
      this.role,
      'The id of a stack follows its name and is drawn by CloudFormation anew for each',
      ...stacks,
      stackArn('MeridianDeployment'),
    );
    acceptWildcards(
      this.role,
      'Objects are named by their content: any of this prefix, and of no other',
      templates.arnForObjects('templates/*'),
      jobs,
    );
  }
}
