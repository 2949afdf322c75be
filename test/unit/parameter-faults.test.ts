import fc from 'fast-check';
import { parameterFaults } from '../../infra/deploy/parameter-faults';
import type { Template, TemplateParameter } from '../../infra/deploy/template';

const template = (Parameters: Readonly<Record<string, TemplateParameter>>, Rules: Template['Rules'] = {}): Template => ({
  Parameters,
  Rules,
  Resources: {},
});

describe('S2.25 parameters are checked before anything is created', () => {
  test('every fault is said at once: the parameter, what was expected and found, and the next step', () => {
    const faults = parameterFaults(
      template({
        Zone: { Type: 'String', AllowedValues: ['a', 'b'] },
        Repository: { Type: 'String', AllowedPattern: '[a-z]+/[a-z]+', ConstraintDescription: 'owner/name' },
        Capacity: { Type: 'Number', MinValue: 1, MaxValue: 64, Default: 100 },
        Name: { Type: 'String', MinLength: 3, MaxLength: 5 },
        Vpc: { Type: 'String', Description: 'The network of the worker.' },
        Secret: { Type: 'String', NoEcho: true, AllowedPattern: '\\d+' },
        Subnets: { Type: 'CommaDelimitedList', AllowedPattern: 'subnet-\\d' },
      }),
      { Zone: 'c', Repository: 'one/two/three', Name: 'ab', Zoen: 'a', Secret: 'hunter2', Subnets: 'subnet-1, other' },
      {},
    );

    expect(faults).toEqual([
      "Parameter Zoen is not one of the template's. Expected one of Capacity, Name, Repository, Secret, Subnets, Vpc, Zone: leave it out or correct its name",
      'Parameter Zone: expected one of "a", "b", found "c": say --parameter Zone=<value>',
      'Parameter Repository: expected owner/name, found "one/two/three": say --parameter Repository=<value>',
      'Parameter Capacity: expected at most 64, found "100" (the default): say --parameter Capacity=<value>',
      'Parameter Name: expected at least 3 characters, found "ab": say --parameter Name=<value>',
      'Parameter Vpc has no value (The network of the worker): say --parameter Vpc=<value>',
      'Parameter Secret: expected a match of \\d+, found another value: say --parameter Secret=<value>',
      'Parameter Subnets: expected a match of subnet-\\d, found "subnet-1, other": say --parameter Subnets=<value>',
    ]);
  });

  test('what the stack has is kept, and a kept secret is not asked for again', () => {
    const declared = template({ Zone: { Type: 'String' }, Secret: { Type: 'String', NoEcho: true, AllowedPattern: '\\d+' } });

    expect(parameterFaults(declared, {}, { Zone: 'a', Secret: '****' })).toEqual([]);
  });

  test('contradicting parameters are named together with the rule that they break', () => {
    const declared = template(
      { Host: { Type: 'String', Default: '' }, Aurora: { Type: 'String', Default: 'false' } },
      {
        OneDatabase: {
          RuleCondition: { 'Fn::Equals': [{ Ref: 'Aurora' }, 'true'] },
          Assertions: [{ Assert: { 'Fn::Equals': [{ Ref: 'Host' }, ''] }, AssertDescription: 'PostgreSQL is either given or made' }],
        },
      },
    );

    expect(parameterFaults(declared, { Host: 'db', Aurora: 'true' }, {})).toEqual([
      'Rule OneDatabase: expected that PostgreSQL is either given or made, found Aurora="true", Host="db": change one of them by --parameter <name>=<value>',
    ]);
    expect(parameterFaults(declared, { Host: 'db' }, {})).toEqual([]);
    expect(parameterFaults(declared, { Aurora: 'true' }, {})).toEqual([]);
  });

  test('lists are compared member by member, and what only AWS knows is left to AWS', () => {
    const list: TemplateParameter = { Type: 'CommaDelimitedList' };
    const holds = (Assert: unknown, values: Readonly<Record<string, string>>) =>
      parameterFaults(
        template({ A: list, B: list, One: { Type: 'String', Default: 'x' } }, { R: { Assertions: [{ Assert }] } }),
        { A: '', B: '', ...values },
        {},
      ).length === 0;

    expect(holds({ 'Fn::EachMemberIn': [{ Ref: 'A' }, { Ref: 'B' }] }, { A: 'x, y', B: 'y,x,z' })).toBe(true);
    expect(holds({ 'Fn::EachMemberIn': [{ Ref: 'A' }, { Ref: 'B' }] }, { A: 'x,w', B: 'y,x,z' })).toBe(false);
    expect(holds({ 'Fn::Contains': [{ Ref: 'A' }, { Ref: 'One' }] }, { A: 'x' })).toBe(true);
    expect(holds({ 'Fn::Contains': [['y', 'z'], { Ref: 'One' }] }, {})).toBe(false);
    expect(holds({ 'Fn::EachMemberEquals': [{ Ref: 'A' }, 'x'] }, { A: 'x,x' })).toBe(true);
    expect(holds({ 'Fn::EachMemberEquals': [{ Ref: 'A' }, 'x'] }, { A: 'x,y' })).toBe(false);
    expect(holds({ 'Fn::Not': [{ 'Fn::Equals': [{ 'Fn::ValueOf': ['One', 'VpcId'] }, 'x'] }] }, {})).toBe(true);
    expect(holds({ 'Fn::Equals': [{ Ref: 'AWS::Region' }, 'mars'] }, {})).toBe(true);
  });

  test('property: a rule of any nesting holds exactly when its expression does', () => {
    const names = ['A', 'B', 'C'] as const;
    const tree = fc.letrec<{ any: Expression }>((tie) => ({
      any: fc.oneof(
        { depthSize: 'small' },
        fc.record({ op: fc.constant('equals' as const), name: fc.constantFrom(...names), value: fc.constantFrom('0', '1') }),
        fc.record({ op: fc.constant('not' as const), of: fc.tuple(tie('any')) }),
        fc.record({ op: fc.constantFrom('and' as const, 'or' as const), of: fc.array(tie('any'), { minLength: 2, maxLength: 3 }) }),
      ),
    })).any;
    const values = fc.record({ A: fc.constantFrom('0', '1'), B: fc.constantFrom('0', '1'), C: fc.constantFrom('0', '1') });
    const parameter: TemplateParameter = { Type: 'String' };

    fc.assert(
      fc.property(tree, tree, values, (condition, assertion, given) => {
        const declared = template(
          { A: parameter, B: parameter, C: parameter },
          { R: { RuleCondition: written(condition), Assertions: [{ Assert: written(assertion) }] } },
        );
        expect(parameterFaults(declared, given, {}).length).toBe(meaning(condition, given) && !meaning(assertion, given) ? 1 : 0);
      }),
    );
  });

  test('property: a number passes exactly within its limits', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -9, max: 9 }),
        fc.integer({ min: -9, max: 9 }),
        fc.integer({ min: -9, max: 9 }),
        (value, MinValue, MaxValue) => {
          const faults = parameterFaults(template({ N: { Type: 'Number', MinValue, MaxValue } }), { N: String(value) }, {});
          expect(faults.length).toBe(Number(value < MinValue) + Number(value > MaxValue));
        },
      ),
    );
  });
});

type Expression =
  | { readonly op: 'equals'; readonly name: 'A' | 'B' | 'C'; readonly value: string }
  | { readonly op: 'not'; readonly of: readonly [Expression] }
  | { readonly op: 'and' | 'or'; readonly of: readonly Expression[] };

function written(expression: Expression): unknown {
  if (expression.op === 'equals') return { 'Fn::Equals': [{ Ref: expression.name }, expression.value] };
  return { [{ not: 'Fn::Not', and: 'Fn::And', or: 'Fn::Or' }[expression.op]]: expression.of.map(written) };
}

function meaning(expression: Expression, values: Readonly<Record<'A' | 'B' | 'C', string>>): boolean {
  if (expression.op === 'equals') return values[expression.name] === expression.value;
  const parts = expression.of.map((each) => meaning(each, values));
  if (expression.op === 'not') return parts[0] !== true;
  return expression.op === 'and' ? parts.every(Boolean) : parts.some(Boolean);
}
