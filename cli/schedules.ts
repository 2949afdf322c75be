import { Command } from 'commander';
import type { Client } from '@temporalio/client';
import { lastClosedInterval } from '../domain/calendar';
import { cycleWorkflowId } from '../domain/cycle';
import { pipelines } from '../pipelines';
import { loadStackEnvironment } from './environment';
import { createOutput } from './output';
import { applySchedules, described, ownedIds, planSchedules } from './schedules/reconcile';
import { ownedSchedule, scheduledPipeline, scheduledPipelines } from './schedules/selection';
import { listedSchedule, scheduleText, stepsText, waitingTicks } from './schedules/text';
import { withTemporal } from './temporal-client';

interface JsonOption {
  readonly json?: boolean;
}

const JSON_OPTION = ['--json', 'one JSON document on stdout'] as const;
const PIPELINE = ['<pipeline>', 'a pipeline that declares a schedule'] as const;

export function schedulesCommand(): Command {
  const command = new Command('schedules').description("pipelines' Temporal Schedules: declared in pipelines/, made so by `apply`");
  command
    .command('plan')
    .description('what `apply` would create and change, field by field, and what nobody declares')
    .option(...JSON_OPTION)
    .action((options: JsonOption) => reconcile(options, { apply: false, prune: false }));
  command
    .command('apply')
    .description("make the server's Schedules those that are declared; a pause stays")
    .option('--prune', 'remove the Schedules that Meridian made and nobody declares any more')
    .option(...JSON_OPTION)
    .action((options: JsonOption & { prune?: boolean }) => reconcile(options, { apply: true, prune: options.prune === true }));
  command
    .command('list')
    .description('next ticks in UTC and local time, pauses, what was started last')
    .option(...JSON_OPTION)
    .addHelpText('after', '\nWith Temporal alone: temporal schedule describe --schedule-id etl/<pipeline>')
    .action((options: JsonOption) =>
      connected(async (client) => {
        const found = await Promise.all((await ownedIds(client)).map((id) => described(client, id)));
        const listed = found.flatMap((each) => (each === undefined ? [] : [listedSchedule(each)]));
        const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
        const text = listed.map((each) => scheduleText(each, timeZone)).join('\n');
        createOutput(options).result(listed, text === '' ? 'No Schedule is on the server: `meridian schedules apply`' : text);
      }),
    );
  for (const paused of [true, false]) {
    const name = paused ? 'pause' : 'resume';
    command
      .command(name)
      .description(paused ? 'start nothing by itself until `resume`; what runs goes on, ticks that wait for it are dropped' : 'start again at the next tick; ticks of the pause are not made up')
      .argument(...PIPELINE)
      .option('--reason <text>', 'kept with the Schedule')
      .option(...JSON_OPTION)
      .addHelpText('after', `\nWith Temporal alone: temporal schedule toggle ${paused ? '--pause' : '--unpause'} --reason <text> --schedule-id etl/<pipeline>`)
      .action((pipeline: string, options: JsonOption & { reason?: string }) => setPaused(pipeline, paused, options));
  }
  command
    .command('trigger')
    .description('start now, without waiting for the next tick: the cycle of the last interval that has closed')
    .argument(...PIPELINE)
    .option(...JSON_OPTION)
    .addHelpText('after', '\nWith Temporal alone: temporal schedule trigger --overlap-policy BufferAll --schedule-id etl/<pipeline>')
    .action(trigger);
  return command;
}

async function reconcile(options: JsonOption, { apply, prune }: { readonly apply: boolean; readonly prune: boolean }): Promise<void> {
  const declared = scheduledPipelines(pipelines);
  await connected(async (client) => {
    const taskQueue = process.env.MERIDIAN_TASK_QUEUE ?? 'meridian';
    const steps = await planSchedules(client, declared, taskQueue);
    if (apply) await applySchedules(client, declared, taskQueue, { steps, prune });
    createOutput(options).result({ applied: apply, steps }, stepsText(steps, prune));
  });
}

async function setPaused(pipeline: string, paused: boolean, options: JsonOption & { reason?: string }): Promise<void> {
  const spec = scheduledPipeline(pipelines, pipeline);
  const note = options.reason ?? `${paused ? 'paused' : 'resumed'} by \`meridian schedules\``;
  await connected(async (client) => {
    const found = await ownedSchedule(client, spec);
    const { scheduleId } = found;
    const handle = client.schedule.getHandle(scheduleId);
    await (paused ? handle.pause(note) : handle.unpause(note));
    const output = createOutput(options);
    const dropped = paused ? waitingTicks(found) : 0;
    if (dropped > 0) output.note(`Dropped are the ticks that waited for the cycle that runs, to be made up with \`meridian backfill\`: ${dropped}`);
    output.result({ scheduleId, paused, note }, `${scheduleId} is ${paused ? 'paused' : 'active'}: ${note}`);
  });
}

async function trigger(pipeline: string, options: JsonOption): Promise<void> {
  const spec = scheduledPipeline(pipelines, pipeline);
  await connected(async (client) => {
    const { scheduleId, policies, info } = await ownedSchedule(client, spec);
    const running = info.runningActions.map(({ workflow }) => workflow.workflowId).join(', ');
    if (running !== '' && policies.overlap === 'SKIP') {
      throw new Error(`${running} still runs, and this Schedule skips what overlaps: nothing was started. Trigger again once it has ended`);
    }
    // The client's own default would start it beside one that runs.
    await client.schedule.getHandle(scheduleId).trigger(policies.overlap);
    const { end } = lastClosedInterval(new Date(), spec);
    const workflowId = cycleWorkflowId(spec.name, end);
    createOutput(options).result(
      { scheduleId, workflowId, intervalEnd: end, ...(running === '' ? {} : { after: running }) },
      `Triggered ${scheduleId}: ${workflowId} runs${running === '' ? '' : ` after ${running}`}; follow it with \`meridian cycles show ${spec.name} ${end}\``,
    );
  });
}

async function connected(use: (client: Client) => Promise<void>): Promise<void> {
  await loadStackEnvironment();
  await withTemporal(use);
}
