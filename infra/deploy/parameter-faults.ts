import { effectiveValues, isHidden, membersOf, type ParameterValues } from './parameter-values';
import { ruleFaults } from './rule-faults';
import type { Template, TemplateParameter } from './template';

/**
 * Everything that is wrong with the parameters, before anything is created: missing ones, unknown ones, values outside their constraints,
 * and values that contradict each other by the template's `Rules`. Each fault names the parameter, what was found and expected, and the
 * next step. Types that only AWS can check, such as a VPC's id, are left to it.
 * @param given - by the caller
 * @param kept - by the stack as it is deployed; empty for a new one
 */
export function parameterFaults(template: Template, given: ParameterValues, kept: ParameterValues): readonly string[] {
  const declared = template.Parameters ?? {};
  const values = effectiveValues(template, given, kept);
  const unknown = Object.keys(given)
    .filter((name) => !Object.hasOwn(declared, name))
    .map(
      (name) =>
        `Parameter ${name} is not one of the template's. Expected one of ${Object.keys(declared).sort().join(', ') || 'none'}: leave it out or correct its name`,
    );
  const faulty = new Set<string>();
  const single = Object.entries(declared).flatMap(([name, parameter]) => {
    const { value, origin } = values.get(name) ?? {};
    if (origin === undefined) return [`Parameter ${name} has no value${purpose(parameter)}: say --parameter ${name}=<value>`];
    if (value === undefined) return [];
    return constraintFaults(parameter, value).map((expected) => {
      faulty.add(name);
      const found = isHidden(parameter) ? 'another value' : JSON.stringify(value);
      return `Parameter ${name}: expected ${expected}, found ${found}${origin === 'given' ? '' : ` (${origin === 'kept' ? 'the deployed value' : 'the default'})`}: say --parameter ${name}=<value>`;
    });
  });
  // A rule over a value that is wrong by itself would say the same twice.
  const sound = new Map([...values].filter(([name]) => !faulty.has(name)));
  return [...unknown, ...single, ...ruleFaults(template, sound)];
}

/** What the value should have been, for each constraint that it breaks. */
function constraintFaults(parameter: TemplateParameter, value: string): readonly string[] {
  const { Type, AllowedValues, AllowedPattern, ConstraintDescription, MinLength, MaxLength, MinValue, MaxValue } = parameter;
  const members = membersOf(parameter, value);
  const every = (holds: (member: string) => boolean) => members.every(holds);
  const faults: string[] = [];
  const expect = (holds: boolean, expected: string) => {
    if (!holds) faults.push(expected);
  };
  if (AllowedValues !== undefined) {
    const allowed = AllowedValues.map(String);
    expect(
      every((member) => allowed.includes(member)),
      `one of ${allowed.map((each) => JSON.stringify(each)).join(', ')}`,
    );
  }
  if (AllowedPattern !== undefined) {
    // CloudFormation matches the whole value.
    const pattern = new RegExp(`^(?:${AllowedPattern})$`);
    expect(
      every((member) => pattern.test(member)),
      ConstraintDescription ?? `a match of ${AllowedPattern}`,
    );
  }
  if (MinLength !== undefined)
    expect(
      every(({ length }) => length >= Number(MinLength)),
      `at least ${MinLength} characters`,
    );
  if (MaxLength !== undefined)
    expect(
      every(({ length }) => length <= Number(MaxLength)),
      `at most ${MaxLength} characters`,
    );
  if (Type === 'Number' || Type === 'List<Number>') {
    const numbers = every((member) => /^[+-]?(\d+\.?\d*|\.\d+)$/.test(member));
    expect(numbers, 'a number');
    if (numbers && MinValue !== undefined)
      expect(
        every((member) => Number(member) >= Number(MinValue)),
        `at least ${MinValue}`,
      );
    if (numbers && MaxValue !== undefined)
      expect(
        every((member) => Number(member) <= Number(MaxValue)),
        `at most ${MaxValue}`,
      );
  }
  return faults;
}

function purpose({ Description }: TemplateParameter): string {
  return Description === undefined ? '' : ` (${Description.replace(/\.$/, '')})`;
}
