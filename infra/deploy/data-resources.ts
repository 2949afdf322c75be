import type { Template, TemplateResource } from './template';

/** Types whose loss loses what people put into them, or the key that reads it. */
const HOLDING_DATA: readonly string[] = [
  'AWS::S3::Bucket',
  'AWS::DynamoDB::Table',
  'AWS::ECR::Repository',
  'AWS::EFS::FileSystem',
  'AWS::KMS::Key',
  'AWS::RDS::DBCluster',
  'AWS::RDS::DBInstance',
  'AWS::SecretsManager::Secret',
  'AWS::SQS::Queue',
];

/** Whether deleting or replacing such a resource loses data. */
export function holdsData(type: string): boolean {
  return HOLDING_DATA.includes(type);
}

/** Whether the resource stays when its stack goes. */
export function isRetained({ DeletionPolicy }: TemplateResource): boolean {
  return DeletionPolicy !== undefined && DeletionPolicy !== 'Delete';
}

/**
 * The template with everything that would stay given up to its stack's deletion, and without what protects it from that. Each has a
 * mark, since CloudFormation takes no change of a deletion policy alone.
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
 */
export function givenUp(template: Template): Template {
  const resources = Object.entries(template.Resources).map(([id, resource]): [string, TemplateResource] => {
    if (!isRetained(resource)) return [id, resource];
    const { Properties = {}, Metadata = {} } = resource;
    const unprotected = {
      ...Properties,
      ...(Properties['DeletionProtectionEnabled'] === undefined ? {} : { DeletionProtectionEnabled: false }),
      ...(Properties['DeletionProtection'] === undefined ? {} : { DeletionProtection: false }),
      ...(resource.Type === 'AWS::ECR::Repository' ? { EmptyOnDelete: true } : {}),
    };
    return [id, { ...resource, DeletionPolicy: 'Delete', Properties: unprotected, Metadata: { ...Metadata, 'meridian:given-up': 'true' } }];
  });
  return { ...template, Resources: Object.fromEntries(resources) };
}
