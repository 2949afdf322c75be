import { Stack, Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

/**
 * Excuses one finding of cdk-nag's AwsSolutions rules on `scope` and what is below it. A test refuses a finding that nothing excuses and an
 * excuse that nothing needs (S1.10).
 * @param rule - the rule without its pack, e.g. `S1`
 * @param reason - why the rule does not hold here, and what holds instead
 */
export function acceptFinding(scope: IConstruct, rule: string, reason: string): void {
  Validations.of(scope).acknowledge({ id: `AwsSolutions-${rule}`, reason });
}

/**
 * Excuses resources with a wildcard in the policies of `scope`, each by itself: another wildcard beside them is a finding again (S2.21).
 * @param reason - why these resources cannot be named one by one
 * @param resources - as the policy has them; those without a wildcard need no excuse and get none
 */
export function acceptWildcards(scope: IConstruct, reason: string, ...resources: readonly string[]): void {
  const names = resources.map((resource) => flatten(Stack.of(scope).resolve(resource)));
  const rules = names.filter((name) => name.includes('*')).map((name) => ({ id: `AwsSolutions-IAM5[Resource::${name}]`, reason }));
  Validations.of(scope).acknowledge(...rules);
}

/** A reference of a template as cdk-nag spells it: `<LogicalId.Arn>/prefix/*`. */
function flatten(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  if ('Ref' in value) return `<${flatten(value.Ref)}>`;
  if ('Fn::GetAtt' in value && Array.isArray(value['Fn::GetAtt'])) return `<${value['Fn::GetAtt'].map(flatten).join('.')}>`;
  if ('Fn::Join' in value && Array.isArray(value['Fn::Join'])) {
    const [delimiter, parts] = value['Fn::Join'] as [string, readonly unknown[]];
    return parts.map(flatten).join(delimiter);
  }
  return JSON.stringify(value);
}
