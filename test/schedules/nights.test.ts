import { DefaultLogger, Runtime } from '@temporalio/worker';
import { CycleOutcome, cycleWorkflowId, scheduleId } from '../../domain/cycle';
import { applySchedules, planSchedules } from '../../cli/schedules/reconcile';
import type { ScheduledPipeline } from '../../cli/schedules/desired';
import { audit } from '../faults/audit/audit';
import { Lab } from '../faults/lab';
import { NIGHT_LIMIT_MS } from '../faults/nights';
import { faultPipeline } from '../faults/pipeline';
import { nightEnd, rawNight, type RawUpload } from '../faults/raw-night';
import { BUNDLE_CACHE } from '../support/worker';

const LIMIT_MS = 5 * 60_000;
const TASK_QUEUE = 'meridian';
const NIGHTS = [1, 2, 3];
const spec: ScheduledPipeline = {
  ...faultPipeline('scheduled'),
  schedule: { cron: '0 0 * * *', timeZone: 'UTC', overlap: 'buffer-all', catchupWindowHours: 72 },
};
let lab: Lab;

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  lab = await Lab.start([spec]);
}, LIMIT_MS);
afterAll(() => lab?.stop(), LIMIT_MS);

test(
  'three nights without a worker wait, and are made up one after the other once it is back: all promoted, in order, each once (S2.11, I1–I9)',
  async () => {
    const { temporal } = lab.access;
    const uploads: (readonly RawUpload[])[] = [];
    for (const index of NIGHTS) uploads.push(rawNight(spec.name, index, 1, uploads.flat()));
    await lab.upload(uploads.flat());
    await lab.workers.stop();
    await applySchedules(temporal, [spec], TASK_QUEUE, { steps: await planSchedules(temporal, [spec], TASK_QUEUE), prune: false });
    const schedule = temporal.schedule.getHandle(scheduleId(spec.name));
    // Nights of the past, which the Schedule fires as it fires those to come.
    await schedule.backfill({ start: new Date(nightEnd(1)), end: new Date(nightEnd(NIGHTS.length)), overlap: 'BUFFER_ALL' });
    const running = async () => (await schedule.describe()).info.runningActions.map(({ workflow }) => workflow.workflowId);
    while ((await running()).length === 0) await new Promise((resolve) => setTimeout(resolve, 100));

    expect(await running()).toEqual([cycleWorkflowId(spec.name, nightEnd(1))]); // it waits for a worker, the others wait for it
    await lab.workers.restart();
    const ended = await Promise.all(NIGHTS.map((index) => lab.ended(temporal.workflow.getHandle(cycleWorkflowId(spec.name, nightEnd(index))), NIGHT_LIMIT_MS)));

    expect(ended.map(({ outcome }) => outcome)).toEqual(NIGHTS.map(() => CycleOutcome.Promoted));
    const { rows } = await lab.access.pool.query<{ interval_end: Date; generation: number }>(
      'select interval_end, generation from meridian.promotion where pipeline = $1 order by sequence',
      [spec.name],
    );
    expect(rows.map(({ interval_end: end, generation }) => [end.toISOString().replace('.000', ''), generation])).toEqual(NIGHTS.map((index) => [nightEnd(index), 1]));
    const report = await audit({
      spec,
      access: lab.access,
      nights: NIGHTS.map((index) => ({
        intervalEnd: nightEnd(index),
        workflowId: cycleWorkflowId(spec.name, nightEnd(index)),
        expected: CycleOutcome.Promoted,
        uploads: uploads[index - 1] ?? [],
      })),
      outcomes: await lab.outcomes.drain(),
      workers: { workDirs: lab.workers.workDirs, running: true, killed: false },
      bundleDir: BUNDLE_CACHE,
    });
    expect(report.violations).toEqual([]);
    expect(report.counts).toMatchObject({ lost: 0, duplicated: 0, promotions: NIGHTS.length, generations: NIGHTS.length, notifications: NIGHTS.length });
  },
  LIMIT_MS,
);
