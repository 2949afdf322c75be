import { type Client, ScheduleAlreadyRunning, type ScheduleDescription, ScheduleNotFoundError } from '@temporalio/client';
import { scheduleId } from '../../domain/cycle';
import { OWNED_MEMO, type ScheduledPipeline, scheduleOptions } from './desired';
import { declaredFields, describedFields, type ScheduleFields } from './fields';

export interface FieldChange {
  readonly field: string;
  readonly before: string;
  readonly after: string;
}

/** What `apply` does with one Schedule. */
export type ScheduleStep =
  | { readonly kind: 'create'; readonly scheduleId: string; readonly fields: ScheduleFields }
  | { readonly kind: 'change'; readonly scheduleId: string; readonly changes: readonly FieldChange[] }
  | { readonly kind: 'unchanged'; readonly scheduleId: string }
  /** Ours, and nobody declares it. */
  | { readonly kind: 'undeclared'; readonly scheduleId: string };

/**
 * What would make the server's Schedules those that are declared. Reads only.
 * @throws Error that names each Schedule in the way that Meridian did not make: it is somebody's, and is left alone
 */
export async function planSchedules(client: Client, pipelines: readonly ScheduledPipeline[], taskQueue: string): Promise<readonly ScheduleStep[]> {
  const steps: ScheduleStep[] = [];
  const foreign: string[] = [];
  for (const spec of pipelines) {
    const found = await described(client, scheduleId(spec.name));
    if (found !== undefined && !isOwned(found.memo)) foreign.push(found.scheduleId);
    else steps.push(stepFor(spec, taskQueue, found));
  }
  if (foreign.length > 0) {
    throw new Error(
      `Nothing was changed: Meridian did not make the Schedule ${foreign.join(', ')}, and leaves it alone. ` +
        `Look at it with \`temporal schedule describe --schedule-id ${foreign[0]}\`, delete it, and apply again`,
    );
  }
  const declared = new Set(pipelines.map(({ name }) => scheduleId(name)));
  for (const id of await ownedIds(client)) {
    // The list may still have one that was removed a moment ago.
    if (!declared.has(id) && (await described(client, id)) !== undefined) steps.push({ kind: 'undeclared', scheduleId: id });
  }
  return steps;
}

/**
 * Takes the steps of a plan; undeclared Schedules only where `prune` says so. A person's pause and its reason stay. Idempotent: a plan made
 * afterwards has no step left, and a Schedule that is gone already is not missed.
 * @throws Error when somebody created a Schedule since the plan was made
 */
export async function applySchedules(
  client: Client,
  pipelines: readonly ScheduledPipeline[],
  taskQueue: string,
  { steps, prune }: { readonly steps: readonly ScheduleStep[]; readonly prune: boolean },
): Promise<void> {
  for (const step of steps) {
    const spec = pipelines.find(({ name }) => scheduleId(name) === step.scheduleId);
    if (spec === undefined) {
      if (step.kind === 'undeclared' && prune) await remove(client, step.scheduleId);
    } else if (step.kind === 'create') await create(client, spec, taskQueue);
    else if (step.kind === 'change') await change(client, spec, taskQueue);
  }
}

/** Ids of the Schedules that Meridian made. Listed by the server's visibility, which follows a change within seconds. */
export async function ownedIds(client: Client): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const each of client.schedule.list()) {
    if (each.scheduleId.startsWith(scheduleId('')) && isOwned(each.memo)) ids.push(each.scheduleId);
  }
  return ids.sort();
}

/** A Schedule as the server has it; undefined when there is none of that id. */
export async function described(client: Client, id: string): Promise<ScheduleDescription | undefined> {
  try {
    return await client.schedule.getHandle(id).describe();
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return undefined;
    throw error;
  }
}

/** True where Meridian's own memo says so. */
export function isOwned(memo: Readonly<Record<string, unknown>> | undefined): boolean {
  return memo?.['meridian'] === OWNED_MEMO.meridian;
}

function stepFor(spec: ScheduledPipeline, taskQueue: string, found: ScheduleDescription | undefined): ScheduleStep {
  const id = scheduleId(spec.name);
  const after = declaredFields(spec, taskQueue);
  if (found === undefined) return { kind: 'create', scheduleId: id, fields: after };
  const before = describedFields(found);
  const changes = (Object.keys(after) as (keyof ScheduleFields)[])
    .filter((field) => before[field] !== after[field])
    .map((field) => ({ field, before: before[field], after: after[field] }));
  return changes.length === 0 ? { kind: 'unchanged', scheduleId: id } : { kind: 'change', scheduleId: id, changes };
}

async function create(client: Client, spec: ScheduledPipeline, taskQueue: string): Promise<void> {
  try {
    await client.schedule.create(scheduleOptions(spec, taskQueue));
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    throw new Error(`Somebody created the Schedule ${scheduleId(spec.name)} meanwhile: plan again with \`meridian schedules plan\``);
  }
}

async function change(client: Client, spec: ScheduledPipeline, taskQueue: string): Promise<void> {
  const { spec: ticks, action, policies } = scheduleOptions(spec, taskQueue);
  await client.schedule.getHandle(scheduleId(spec.name)).update(({ state: { paused, note } }) => ({
    spec: ticks,
    action,
    policies,
    state: { paused, ...(note === undefined ? {} : { note }) },
  }));
}

async function remove(client: Client, id: string): Promise<void> {
  try {
    await client.schedule.getHandle(id).delete();
  } catch (error) {
    if (!(error instanceof ScheduleNotFoundError)) throw error;
  }
}
