import {
  BootstraplessSynthesizer,
  CfnCondition,
  CfnOutput,
  CfnParameter,
  Duration,
  Fn,
  type IStackSynthesizer,
  RemovalPolicy,
  Stack,
} from 'aws-cdk-lib';
import { CfnOIDCProvider } from 'aws-cdk-lib/aws-iam';
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import { acceptFinding } from './accepted-findings';
import { CloudFormationRole } from './cloudformation-role';
import { GITHUB_ISSUER, GitHubRole } from './github-role';
import { OptionalParameter } from './optional-parameter';

/**
 * What deploys the other stacks, deployed once by a person: the role that CloudFormation works as, the role that one repository's jobs
 * take by OIDC, and the bucket of templates. No long-lived key is made (S2.26).
 * @see docs/decisions/0025-cloudformation-plans-and-deploys-as-its-own-role.md
 */
export class DeploymentStack extends Stack {
  constructor(scope: Construct, id: string) {
    super(scope, id, {
      // The cast: CDK's types are not written for exactOptionalPropertyTypes.
      synthesizer: new BootstraplessSynthesizer() as IStackSynthesizer,
      description: 'Meridian: what deploys it, from a desk or from GitHub, without a key that anybody keeps',
    });
    const text = (
      name: string,
      props: {
        readonly default?: string;
        readonly allowedPattern: string;
        readonly constraintDescription: string;
        readonly description: string;
      },
    ) => new CfnParameter(this, name, { type: 'String', ...props });
    const repository = text('GitHubRepository', {
      allowedPattern: '^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$',
      constraintDescription: 'owner/name',
      description: 'The one repository whose jobs may deploy',
    });
    const environment = text('GitHubEnvironment', {
      default: 'production',
      allowedPattern: '^[A-Za-z0-9._-]*$',
      constraintDescription: 'the name of an environment, or empty',
      description: 'The environment of the job that deploys; its rules must admit the branch alone. Empty: jobs of the branch without one',
    });
    const branch = text('GitHubBranch', {
      default: 'main',
      allowedPattern: '^[A-Za-z0-9._/-]+$',
      constraintDescription: 'the name of a branch',
      description: 'The branch that deploys, where no environment is named',
    });
    const provider = new OptionalParameter(this, 'Provider', {
      name: 'GitHubProviderArn',
      description:
        "ARN of the account's OIDC provider of GitHub, if it has one already: an account takes one of an issuer. Empty: it is made",
      pattern: '^arn:aws[a-z-]*:iam::[0-9]{12}:oidc-provider/token\\.actions\\.githubusercontent\\.com$',
      constraint: 'the ARN of an OIDC provider of token.actions.githubusercontent.com, or empty',
    });
    const made = new CfnOIDCProvider(this, 'GitHub', { url: `https://${GITHUB_ISSUER}`, clientIdList: ['sts.amazonaws.com'] });
    made.cfnOptions.condition = new CfnCondition(this, 'MakesProvider', { expression: Fn.conditionEquals(provider.value, '') });
    const hasEnvironment = new CfnCondition(this, 'HasEnvironment', {
      expression: Fn.conditionNot(Fn.conditionEquals(environment.valueAsString, '')),
    });

    const templates = this.templateBucket();
    const { role: cloudFormationRole } = new CloudFormationRole(this, 'CloudFormation');
    const { role: gitHubRole } = new GitHubRole(this, 'Deployer', {
      repository: repository.valueAsString,
      subject: Fn.conditionIf(
        hasEnvironment.logicalId,
        `environment:${environment.valueAsString}`,
        `ref:refs/heads/${branch.valueAsString}`,
      ).toString(),
      providerArn: Fn.conditionIf(provider.isSet.logicalId, provider.value, made.attrArn).toString(),
      cloudFormationRole,
      templates,
    });
    for (const [key, value, description] of [
      ['TemplateBucket', templates.bucketName, 'Where templates go that are too long for a request'],
      ['CloudFormationRoleArn', cloudFormationRole.roleArn, 'What CloudFormation works as'],
      ['GitHubRoleArn', gitHubRole.roleArn, "The repository's variable MERIDIAN_DEPLOY_ROLE_ARN"],
    ] as const) {
      new CfnOutput(this, key, { value, description });
    }
  }

  private templateBucket(): Bucket {
    const bucket = new Bucket(this, 'Templates', {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      removalPolicy: RemovalPolicy.RETAIN,
      lifecycleRules: [{ id: 'expire', expiration: Duration.days(30), abortIncompleteMultipartUploadAfter: Duration.days(7) }],
    });
    acceptFinding(bucket, 'S1', "Templates hold no data and no secrets; who read one is for the account's CloudTrail trail");
    return bucket;
  }
}
