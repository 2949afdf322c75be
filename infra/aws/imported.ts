import { Fn } from 'aws-cdk-lib';
import type { CfnParameter } from 'aws-cdk-lib';

/** What an output of a stack is exported as: by the stack's name, so that several can be in one account. */
export function exportName(output: string): string {
  return Fn.sub(`\${AWS::StackName}-${output}`); // shorter in the template than a join
}

/** An output of the data stack that `dataStack` names. */
export function imported(dataStack: CfnParameter, output: string): string {
  return Fn.importValue(Fn.sub(`\${${dataStack.logicalId}}-${output}`));
}
