import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { IRole } from 'aws-cdk-lib/aws-iam';

/** Who deploys, and what with. */
export interface GitHubRoleProps {
  /** `owner/name`, a reference to a parameter. */
  readonly repository: string;
  /** What of the repository may deploy: the end of the token's subject. */
  readonly subject: string;
  /** ARN of the account's OIDC provider of GitHub. */
  readonly providerArn: string;
  /** What CloudFormation works as. */
  readonly cloudFormationRole: IRole;
  readonly templates: Bucket;
}
