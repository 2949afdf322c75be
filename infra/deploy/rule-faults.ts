import { type EffectiveValue, isList, membersOf } from './parameter-values';
import type { Template } from './template';

type Values = ReadonlyMap<string, EffectiveValue>;
type Operand = string | readonly string[];

/** A value that nobody here knows: what depends on it is left to CloudFormation, which asks the same. */
class Unknown extends Error {}

/**
 * The assertions of the template's `Rules` that the values break, each with the parameters that it speaks of. Rules that need what is
 * not known here (a NoEcho value that is kept, an attribute of an existing resource) are left to CloudFormation.
 */
export function ruleFaults(template: Template, values: Values): readonly string[] {
  return Object.entries(template.Rules ?? {}).flatMap(([rule, { RuleCondition, Assertions }]) => {
    const holds = (expression: unknown) => evaluate(expression, template, values);
    if (RuleCondition !== undefined && holds(RuleCondition) !== true) return [];
    return Assertions.filter(({ Assert }) => holds(Assert) === false).map(({ Assert, AssertDescription }) => {
      const names = [...new Set([...referencesIn(RuleCondition), ...referencesIn(Assert)])].filter((name) => values.has(name));
      const found = names.map((name) => `${name}=${JSON.stringify(values.get(name)?.value ?? '(hidden)')}`).join(', ');
      return `Rule ${rule}: expected that ${AssertDescription ?? JSON.stringify(Assert)}, found ${found}: change one of them by --parameter <name>=<value>`;
    });
  });
}

/** Whether the expression holds; undefined when that cannot be known here. */
function evaluate(expression: unknown, template: Template, values: Values): boolean | undefined {
  try {
    return booleanOf(expression, template, values);
  } catch (error) {
    if (error instanceof Unknown) return undefined;
    throw error;
  }
}

function booleanOf(expression: unknown, template: Template, values: Values): boolean {
  const [name, argument] = callOf(expression);
  const nested = (each: unknown) => booleanOf(each, template, values);
  const operand = (each: unknown) => operandOf(each, template, values);
  const members = (each: unknown) => [operand(each)].flat();
  const list = Array.isArray(argument) ? (argument as readonly unknown[]) : [];
  switch (name) {
    case 'Fn::And':
      return list.map(nested).every(Boolean);
    case 'Fn::Or':
      return list.map(nested).some(Boolean);
    case 'Fn::Not':
      return !nested(list[0]);
    case 'Fn::Equals':
      return JSON.stringify(operand(list[0])) === JSON.stringify(operand(list[1]));
    case 'Fn::Contains':
      return members(list[0]).includes(String(operand(list[1])));
    case 'Fn::EachMemberEquals':
      return members(list[0]).every((member) => member === operand(list[1]));
    case 'Fn::EachMemberIn':
      return members(list[0]).every((member) => members(list[1]).includes(member));
    default:
      throw new Unknown(name);
  }
}

function operandOf(operand: unknown, template: Template, values: Values): Operand {
  if (typeof operand === 'string' || typeof operand === 'number' || typeof operand === 'boolean') return String(operand);
  if (Array.isArray(operand)) return (operand as readonly unknown[]).map((each) => String(operandOf(each, template, values)));
  const [name, argument] = callOf(operand);
  const parameter = typeof argument === 'string' ? template.Parameters?.[argument] : undefined;
  const value = typeof argument === 'string' ? values.get(argument)?.value : undefined;
  if (name !== 'Ref' || parameter === undefined || value === undefined) throw new Unknown(name);
  return isList(parameter) ? membersOf(parameter, value) : value;
}

/** The one function of an expression with its argument. */
function callOf(expression: unknown): readonly [string, unknown] {
  const [entry, ...others] = typeof expression === 'object' && expression !== null ? Object.entries(expression) : [];
  if (entry === undefined || others.length > 0) throw new Unknown(JSON.stringify(expression));
  return entry;
}

function referencesIn(expression: unknown): readonly string[] {
  if (typeof expression !== 'object' || expression === null) return [];
  return Object.entries(expression).flatMap(([name, argument]) =>
    name === 'Ref' && typeof argument === 'string' ? [argument] : referencesIn(argument),
  );
}
