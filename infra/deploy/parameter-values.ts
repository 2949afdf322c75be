import type { Template, TemplateParameter } from './template';

/** Values by parameter name. */
export type ParameterValues = Readonly<Record<string, string>>;

/** The value that a parameter will have; absent `value`: kept by CloudFormation, unreadable since the parameter is NoEcho. */
export interface EffectiveValue {
  readonly origin: 'given' | 'kept' | 'default';
  readonly value?: string;
}

/**
 * What each declared parameter will be: as given, else as the stack has it, else its default. One that has none of these is missing
 * from the result.
 */
export function effectiveValues(template: Template, given: ParameterValues, kept: ParameterValues): ReadonlyMap<string, EffectiveValue> {
  const values = new Map<string, EffectiveValue>();
  for (const [name, parameter] of Object.entries(template.Parameters ?? {})) {
    if (given[name] !== undefined) values.set(name, { origin: 'given', value: given[name] });
    else if (kept[name] !== undefined) values.set(name, isHidden(parameter) ? { origin: 'kept' } : { origin: 'kept', value: kept[name] });
    else if (parameter.Default !== undefined) values.set(name, { origin: 'default', value: String(parameter.Default) });
  }
  return values;
}

/** Whether the value may be shown to nobody. */
export function isHidden({ NoEcho }: TemplateParameter): boolean {
  return NoEcho === true || NoEcho === 'true';
}

/** Whether the parameter holds several values, separated by commas. */
export function isList({ Type }: TemplateParameter): boolean {
  return Type === 'CommaDelimitedList' || Type.startsWith('List<');
}

/** The members of a value, one unless the parameter is a list. */
export function membersOf(parameter: TemplateParameter, value: string): readonly string[] {
  if (!isList(parameter)) return [value];
  return value === '' ? [] : value.split(',').map((member) => member.trim());
}
