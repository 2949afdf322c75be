import { CfnCondition, CfnParameter, Fn, type IResolvable, Token } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import type { OptionalParameterProps } from './optional-parameter-props';

/** Stands for a property that is not there. */
export const NOTHING: IResolvable = Token.asAny({ Ref: 'AWS::NoValue' });

/** A parameter that is empty unless somebody sets it, and the condition that it is set: what costs money is off until then (S2.27). */
export class OptionalParameter extends Construct {
  /** Its value in the template: a reference. */
  readonly value: string;
  private readonly name: string;
  private condition: CfnCondition | undefined;

  constructor(scope: Construct, id: string, { name, description, pattern, constraint }: OptionalParameterProps) {
    super(scope, id);
    const parameter = new CfnParameter(this, 'Parameter', {
      type: 'String',
      default: '',
      allowedPattern: `^$|${pattern}`,
      constraintDescription: constraint,
      description,
    });
    parameter.overrideLogicalId(name);
    this.name = name;
    this.value = Token.asString({ Ref: name });
  }

  /** Holds once the parameter is set. */
  get isSet(): CfnCondition {
    if (this.condition === undefined) {
      this.condition = new CfnCondition(this, 'IsSet', { expression: Fn.conditionNot(Fn.conditionEquals(this.value, '')) });
      this.condition.overrideLogicalId(`Has${this.name}`);
    }
    return this.condition;
  }

  /** @returns `value` once the parameter is set, no property until then */
  whenSet(value: unknown): IResolvable {
    return Fn.conditionIf(this.isSet.logicalId, value, NOTHING);
  }
}
