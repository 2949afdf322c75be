import type { TemplateResource } from './template';

/** Every policy statement and attached policy of a resource, each in one line that a person can read and two versions can be compared by. */
export function statementsOf(resource: TemplateResource | undefined): readonly string[] {
  return resource === undefined ? [] : collected(resource.Properties);
}

function collected(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]: [string, unknown]) => {
    if (name === 'Statement') return [member].flat().map(statementLine);
    if (name === 'ManagedPolicyArns') return [member].flat().map((arn) => `attached policy ${spoken(arn)}`);
    if (name === 'PermissionsBoundary') return [`at most ${spoken(member)}`];
    return collected(member);
  });
}

function statementLine(statement: unknown): string {
  const { Effect, Action, NotAction, Resource, NotResource, Principal, Condition } = statement as Readonly<Record<string, unknown>>;
  const part = (word: string, value: unknown) => (value === undefined ? '' : ` ${word} ${spoken(value)}`);
  return `${String(Effect)}${part('to', Principal)}${part('do', Action)}${part('do all but', NotAction)}${part('on', Resource)}${part('on all but', NotResource)}${part('if', Condition)}`;
}

/** A value of a template with its functions as short as they are meant. */
export function spoken(value: unknown): string {
  if (Array.isArray(value)) return value.map(spoken).join(', ');
  if (typeof value !== 'object' || value === null) return String(value);
  const [[name, argument] = ['', undefined], ...others] = Object.entries(value) as [string, unknown][];
  if (others.length === 0) {
    if (name === 'Ref') return `\${${String(argument)}}`;
    if (name === 'Fn::GetAtt' && Array.isArray(argument)) return `\${${argument.join('.')}}`;
    if (name === 'Fn::Sub' && typeof argument === 'string') return argument;
    if (name === 'Fn::Join' && Array.isArray(argument) && Array.isArray(argument[1]))
      return argument[1].map(spoken).join(String(argument[0]));
  }
  return Object.entries(value)
    .map(([key, member]) => `${key} ${spoken(member)}`)
    .join(', ');
}
