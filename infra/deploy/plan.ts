import { type Change, DeleteStackCommand, GetTemplateCommand, type Parameter, type Stack } from '@aws-sdk/client-cloudformation';
import { type ChangeSet, createChangeSet } from './change-set';
import { DeploymentError } from './deployment-error';
import { parameterFaults } from './parameter-faults';
import { effectiveValues, isHidden, type ParameterValues } from './parameter-values';
import { firstFailure, followStack, knownEvents } from './stack-events';
import { nextStep, settledStack, type StackTarget } from './stack-state';
import { spoken, statementsOf } from './statements';
import type { Template } from './template';

/** What is to be deployed. */
export interface DeployRequest {
  readonly stack: string;
  readonly template: Template;
  /** Those not given keep the deployed value, else their default. */
  readonly parameters: ParameterValues;
}

/** One resource's part of a plan. */
export interface PlannedResource {
  /** `leave`: no longer the stack's, and kept with what is in it. */
  readonly action: 'add' | 'change' | 'replace' | 'may-replace' | 'delete' | 'leave';
  readonly logicalId: string;
  readonly type: string;
  readonly physicalId?: string;
  /** What differs, with the values where CloudFormation tells them. */
  readonly properties: readonly { readonly name: string; readonly before?: string; readonly after?: string }[];
}

/** A line that is new, gone or different. */
export interface PlannedValue {
  readonly name: string;
  readonly before?: string;
  readonly after?: string;
}

/** What a deployment would do, and the change set that does it. */
export interface DeploymentPlan {
  readonly stack: string;
  readonly kind: 'create' | 'update' | 'none';
  readonly resources: readonly PlannedResource[];
  /** Statements of policies that come or go: who may do what. */
  readonly permissions: readonly { readonly change: 'add' | 'remove'; readonly resource: string; readonly statement: string }[];
  readonly parameters: readonly PlannedValue[];
  readonly outputs: readonly PlannedValue[];
  readonly changeSet?: ChangeSet;
}

/**
 * What a deployment would do, in CloudFormation's own judgement. Nothing is created before the parameters are sound.
 * @param note - told when the remains of a failed creation are deleted, which no plan can be made over
 * @throws DeploymentError with every fault of the parameters, or with the state that takes no deployment
 */
export async function planDeployment(
  target: StackTarget,
  request: DeployRequest,
  note: (message: string) => void,
): Promise<DeploymentPlan> {
  const { stack: name, template, parameters } = request;
  const found = await settledStack(target, name);
  const step = nextStep(found);
  const deployed = step === 'update' ? found : undefined;
  const kept = keptValues(deployed);
  const faults = parameterFaults(template, parameters, kept);
  if (faults.length > 0)
    throw new DeploymentError(
      `Nothing was changed: the parameters of stack ${name} have ${faults.length} fault(s)\n${faults.map((fault) => `  ${fault}`).join('\n')}`,
    );
  if (step === 'stuck') throw new DeploymentError(stuckText(name, found));
  if (step === 'replace' && found?.StackId !== undefined) {
    note(`The creation of stack ${name} had failed (${found.StackStatus}): what is left of it is deleted first`);
    await deleteRemains(target, found.StackId);
  }
  const values = effectiveValues(template, parameters, kept);
  const changeSet = await createChangeSet(target, {
    stack: name,
    type: deployed === undefined ? 'CREATE' : 'UPDATE',
    template,
    parameters: [...values].flatMap(([key, { origin, value }]): Parameter[] =>
      origin === 'default'
        ? []
        : [origin === 'kept' ? { ParameterKey: key, UsePreviousValue: true } : { ParameterKey: key, ParameterValue: value }],
    ),
  });
  if (changeSet === undefined) return { stack: name, kind: 'none', resources: [], permissions: [], parameters: [], outputs: [] };

  const before = deployed === undefined ? undefined : await deployedTemplate(target, name);
  const shown = Object.fromEntries(
    [...values].map(([key, { value }]) => [key, isHidden(template.Parameters?.[key] ?? { Type: '' }) ? '(hidden)' : (value ?? '')]),
  );
  return {
    stack: name,
    kind: deployed === undefined ? 'create' : 'update',
    resources: changeSet.changes.flatMap(plannedResource),
    permissions: permissionChanges(changeSet, before, template),
    parameters: differences(hideStars(kept), shown),
    outputs: differences(outputsOf(before), outputsOf(template)),
    changeSet,
  };
}

function plannedResource({ ResourceChange: change }: Change): readonly PlannedResource[] {
  if (change === undefined) return [];
  const { Action, Replacement, PolicyAction, LogicalResourceId = '', ResourceType = '', PhysicalResourceId, Details = [] } = change;
  const removed = PolicyAction === 'Retain' ? ('leave' as const) : ('delete' as const);
  const modified =
    Replacement === 'True' ? ('replace' as const) : Replacement === 'Conditional' ? ('may-replace' as const) : ('change' as const);
  const action = Action === 'Add' || Action === 'Import' ? ('add' as const) : Action === 'Remove' ? removed : modified;
  const properties = new Map(
    Details.flatMap(({ Target: target }) => {
      const name = target?.Name ?? target?.Attribute;
      if (name === undefined) return [];
      const before = target?.BeforeValue === undefined ? {} : { before: target.BeforeValue };
      const after = target?.AfterValue === undefined ? {} : { after: target.AfterValue };
      return [[name, { name, ...before, ...after }] as const];
    }),
  );
  return [
    {
      action,
      logicalId: LogicalResourceId,
      type: ResourceType,
      ...(PhysicalResourceId === undefined ? {} : { physicalId: PhysicalResourceId }),
      properties: [...properties.values()],
    },
  ];
}

function permissionChanges({ changes }: ChangeSet, before: Template | undefined, after: Template): DeploymentPlan['permissions'] {
  return changes.flatMap(({ ResourceChange: change }) => {
    const id = change?.LogicalResourceId ?? '';
    const old = change?.Action === 'Add' ? [] : statementsOf(before?.Resources[id]);
    const next = change?.Action === 'Remove' ? [] : statementsOf(after.Resources[id]);
    const only = (some: readonly string[], others: readonly string[]) => some.filter((each) => !others.includes(each));
    return [
      ...only(old, next).map((statement) => ({ change: 'remove' as const, resource: id, statement })),
      ...only(next, old).map((statement) => ({ change: 'add' as const, resource: id, statement })),
    ];
  });
}

function differences(before: ParameterValues, after: ParameterValues): readonly PlannedValue[] {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((name) => before[name] !== after[name])
    .map((name) => ({
      name,
      ...(before[name] === undefined ? {} : { before: before[name] }),
      ...(after[name] === undefined ? {} : { after: after[name] }),
    }));
}

function keptValues(stack: Stack | undefined): ParameterValues {
  return Object.fromEntries((stack?.Parameters ?? []).map(({ ParameterKey = '', ParameterValue = '' }) => [ParameterKey, ParameterValue]));
}

/** CloudFormation shows a NoEcho value as asterisks. */
function hideStars(values: ParameterValues): ParameterValues {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, /^\*+$/.test(value) ? '(hidden)' : value]));
}

function outputsOf(template: Template | undefined): ParameterValues {
  return Object.fromEntries(Object.entries(template?.Outputs ?? {}).map(([name, { Value }]) => [name, spoken(Value)]));
}

/** The template of a stack as it was sent. */
export async function deployedTemplate({ cloudformation }: StackTarget, name: string): Promise<Template> {
  const { TemplateBody } = await cloudformation.send(new GetTemplateCommand({ StackName: name, TemplateStage: 'Original' }));
  return JSON.parse(TemplateBody ?? '{"Resources":{}}') as Template;
}

async function deleteRemains(target: StackTarget, stackId: string): Promise<void> {
  const known = await knownEvents(target, stackId);
  await target.cloudformation.send(new DeleteStackCommand({ StackName: stackId }));
  const ended = await followStack(target, stackId, known, () => undefined);
  if (ended.stack.StackStatus !== 'DELETE_COMPLETE') {
    throw new DeploymentError(
      `What is left of stack ${stackId} cannot be deleted: ${firstFailure(ended)}. Remove the cause and run the same command again`,
    );
  }
}

function stuckText(name: string, stack: Stack | undefined): string {
  const state = `Nothing was changed: stack ${name} is ${stack?.StackStatus} and takes no deployment (${stack?.StackStatusReason ?? 'no reason given'})`;
  return stack?.StackStatus === 'DELETE_FAILED'
    ? `${state}: remove the cause and finish its deletion with \`meridian destroy\``
    : `${state}: remove the cause and let it finish with \`aws cloudformation continue-update-rollback --stack-name ${name}\``;
}
