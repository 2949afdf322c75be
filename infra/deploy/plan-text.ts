import { holdsData } from './data-resources';
import type { DeletionPlan } from './deletion';
import type { DeploymentPlan, PlannedResource, PlannedValue } from './plan';

const MARKS = { add: '+', change: '~', replace: '!', 'may-replace': '!', delete: '-', leave: '-' } as const;
const WORDS = {
  add: '',
  change: '',
  replace: ' is replaced',
  'may-replace': ' may be replaced',
  delete: ' is deleted',
  leave: ' leaves the stack and stays',
} as const;
const LONGEST_VALUE = 80;

/** A plan as a person reads it before saying yes. */
export function planText(plan: DeploymentPlan): string {
  if (plan.kind === 'none') return `Stack ${plan.stack} is as its template says: nothing to do`;
  const endangered = plan.resources.filter(({ action, type }) => holdsData(type) && ['replace', 'may-replace', 'delete'].includes(action));
  return [
    `Stack ${plan.stack} is ${plan.kind === 'create' ? 'created' : 'changed'}:`,
    ...section('resources', plan.resources.map(resourceLine)),
    ...section(
      'who may do what',
      plan.permissions.map(({ change, resource, statement }) => `${change === 'add' ? '+' : '-'} ${resource}: ${statement}`),
    ),
    ...section('parameters', plan.parameters.map(valueLine)),
    ...section('outputs', plan.outputs.map(valueLine)),
    ...section(
      'DATA AT RISK',
      endangered.map(
        (each) => `! ${each.logicalId} (${each.type}${each.physicalId === undefined ? '' : `, ${each.physicalId}`})${WORDS[each.action]}`,
      ),
    ),
  ].join('\n');
}

/** What a deletion takes, and what it leaves, by name. */
export function deletionText({ stack, resources }: DeletionPlan): string {
  const line = (mark: string) => (each: DeletionPlan['resources'][number]) =>
    `${mark} ${each.logicalId} (${each.type}): ${each.physicalId}`;
  const gone = resources.filter(({ fate }) => fate === 'delete');
  const data = gone.filter((each) => each.holdsData);
  const kept = resources.filter(({ fate }) => fate === 'leave');
  return [
    `Stack ${stack} is deleted:`,
    ...section('deleted', gone.filter((each) => !each.holdsData).map(line('-'))),
    ...section('DELETED WITH ALL THAT IS IN THEM', data.map(line('!'))),
    ...section(`kept, with all that is in them (--delete-data ${stack} deletes them too)`, kept.map(line('='))),
  ].join('\n');
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [`  ${title}`, ...lines.map((line) => `    ${line}`)];
}

function resourceLine({ action, logicalId, type, properties }: PlannedResource): string {
  const differing = properties.map(({ name, before, after }) =>
    before === undefined && after === undefined ? name : `${name} ${short(before)} → ${short(after)}`,
  );
  return `${MARKS[action]} ${logicalId} (${type})${WORDS[action]}${differing.length === 0 ? '' : `: ${differing.join(', ')}`}`;
}

function valueLine({ name, before, after }: PlannedValue): string {
  if (before === undefined) return `+ ${name} = ${short(after)}`;
  return after === undefined ? `- ${name}` : `~ ${name}: ${short(before)} → ${short(after)}`;
}

function short(value: string | undefined): string {
  if (value === undefined) return '(none)';
  if (value === '') return '""';
  return value.length > LONGEST_VALUE ? `${value.slice(0, LONGEST_VALUE)}…` : value;
}
