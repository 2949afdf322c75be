import type { Client, ScheduleDescription } from '@temporalio/client';
import { scheduleId } from '../../domain/cycle';
import { runsNightly } from '../../domain/ingest';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { validatePipeline } from '../../domain/validate-pipeline';
import { UsageError } from '../output';
import type { ScheduledPipeline } from './desired';
import { described, isOwned } from './reconcile';

/**
 * The pipelines that declare a schedule.
 * @throws Error with every fault of every declaration: a plan of half of them would take the others for undeclared
 */
export function scheduledPipelines(pipelines: readonly PipelineSpec[]): readonly ScheduledPipeline[] {
  const faults = pipelines.flatMap((spec) => validatePipeline(spec).map((fault) => `  ${spec.name}: ${fault}`));
  if (faults.length > 0) throw new Error(`Nothing was changed: the declarations have ${faults.length} fault(s)\n${faults.join('\n')}`);
  return pipelines.filter(hasSchedule);
}

/** @throws UsageError for a pipeline that nobody declared, or that declares no schedule */
export function scheduledPipeline(pipelines: readonly PipelineSpec[], name: string): ScheduledPipeline {
  const spec = pipelines.find((each) => each.name === name);
  if (spec === undefined) throw new UsageError(`No pipeline is named "${name}": declared are ${pipelines.map((each) => each.name).join(', ')}`);
  if (!hasSchedule(spec)) throw new UsageError(`Pipeline "${name}" declares no schedule: give it one in pipelines/, then \`meridian schedules apply\``);
  return spec;
}

/** @throws Error when the server has no such Schedule, or one that Meridian did not make */
export async function ownedSchedule(client: Client, spec: ScheduledPipeline): Promise<ScheduleDescription> {
  const id = scheduleId(spec.name);
  const found = await described(client, id);
  if (found === undefined) throw new Error(`The server has no Schedule ${id}: \`meridian schedules apply\` makes it`);
  if (!isOwned(found.memo)) throw new Error(`Meridian did not make the Schedule ${id}, and leaves it alone: use \`temporal schedule\``);
  return found;
}

function hasSchedule(spec: PipelineSpec): spec is ScheduledPipeline {
  return spec.schedule !== undefined && runsNightly(spec);
}
