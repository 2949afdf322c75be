import type { Template } from '../deploy/template';

type Json = Readonly<Record<string, unknown>>;
const NOTHING = Symbol('AWS::NoValue');

/**
 * The template as CloudFormation reads it before it makes anything: without the resources whose condition does not hold, and with one
 * branch of each `Fn::If`. References to resources stay as they are.
 * @param parameters - values by name; a parameter that is not among them has its default
 * @throws TypeError for a function that conditions of ours do not use: misread, a property would silently not hold
 */
export function withConditions(template: Template, parameters: Readonly<Record<string, string>> = {}): Template {
  const values = { ...defaults(template), ...parameters };
  const holds = (name: string): boolean => isTrue(template.Conditions?.[name], values, holds);
  const kept = Object.entries(template.Resources).filter(([, { Condition }]) => Condition === undefined || holds(Condition));
  return { ...template, Resources: Object.fromEntries(kept.map(([id, resource]) => [id, chosen(resource, holds) as typeof resource])) };
}

function defaults({ Parameters = {} }: Template): Record<string, string> {
  return Object.fromEntries(
    Object.entries(Parameters).flatMap(([name, { Default }]) => (Default === undefined ? [] : [[name, String(Default)]])),
  );
}

function isTrue(expression: unknown, values: Readonly<Record<string, string>>, holds: (name: string) => boolean): boolean {
  const [[name, operand] = ['', undefined]] = Object.entries((expression ?? {}) as Json);
  const operands = Array.isArray(operand) ? (operand as readonly unknown[]) : [operand];
  const each = (one: unknown) => isTrue(one, values, holds);
  switch (name) {
    case 'Condition':
      return holds(String(operand));
    case 'Fn::Not':
      return !each(operands[0]);
    case 'Fn::And':
      return operands.every(each);
    case 'Fn::Or':
      return operands.some(each);
    case 'Fn::Equals':
      return valueOf(operands[0], values) === valueOf(operands[1], values);
  }
  throw new TypeError(`Condition ${JSON.stringify(expression)}: teach infra/local/template-conditions.ts to read it`);
}

function valueOf(operand: unknown, values: Readonly<Record<string, string>>): string {
  if (typeof operand === 'string' || typeof operand === 'number') return String(operand);
  const value = values[String((operand as Json)['Ref'])];
  if (value === undefined) throw new TypeError(`Condition on ${JSON.stringify(operand)}: no parameter with a default or a value`);
  return value;
}

/** `value` with the branch that holds in the place of each `Fn::If`. */
function chosen(value: unknown, holds: (name: string) => boolean): unknown {
  if (Array.isArray(value)) return value.map((item) => chosen(item, holds)).filter((item) => item !== NOTHING);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value as Json);
  const [[name, operand] = ['', undefined]] = members;
  if (name === 'Ref' && operand === 'AWS::NoValue') return NOTHING;
  if (name === 'Fn::If') {
    const [condition, yes, no] = operand as readonly [string, unknown, unknown];
    return chosen(holds(condition) ? yes : no, holds);
  }
  return Object.fromEntries(members.map(([key, item]) => [key, chosen(item, holds)] as const).filter(([, item]) => item !== NOTHING));
}

/** `value` with the physical ids of resources in the place of references to them: for an API that takes an id where a template says an ARN. */
export function withPhysicalIds(value: unknown, resources: Readonly<Record<string, string>>): unknown {
  if (Array.isArray(value)) return value.map((item) => withPhysicalIds(item, resources));
  if (typeof value !== 'object' || value === null) return value;
  const { Ref, 'Fn::GetAtt': attribute } = value as { readonly Ref?: string; readonly 'Fn::GetAtt'?: readonly [string, string] };
  const id = resources[Ref ?? attribute?.[0] ?? ''];
  if (id !== undefined) return id;
  return Object.fromEntries(Object.entries(value as Json).map(([key, item]) => [key, withPhysicalIds(item, resources)]));
}
