import type { WorkflowHandle } from '@temporalio/client';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import type { Decision, DecisionInput } from '../../domain/decision';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import type { CycleProgress } from '../../domain/progress';
import { cancelCycle } from '../../cli/cancel-cycle';
import { lineageText } from '../../cli/lineage-text';
import { openDatabase } from '../../sql/database';
import { listCycles } from '../../sql/queries/cycles';
import { readLineage } from '../../sql/queries/lineage';
import { Lab } from '../faults/lab';
import { NIGHT_LIMIT_MS } from '../faults/nights';
import { faultPipeline } from '../faults/pipeline';
import { createOutput } from '../../cli/output';
import { cycleWorkflowId } from '../../domain/cycle';
import { nightEnd } from '../faults/raw-night';
import { refusal, Story } from '../faults/story';

const LIMIT_MS = 5 * 60_000;
const ADA = { by: 'ada', reason: 'the sensors were off' };

function holding(name: string): PipelineSpec {
  const spec = faultPipeline(name);
  return { ...spec, quality: { ...spec.quality, hold: { deadlineMinutes: 60, atDeadline: 'reject', remindEveryMinutes: 30 } } };
}
const PIPELINES = {
  approved: holding('d1-approved'),
  rejected: holding('d2-rejected'),
  terminated: holding('d3-terminated'),
  killed: holding('d4-killed'),
  rerun: faultPipeline('d5-rerun'),
  discarded: faultPipeline('d6-discarded'),
} as const;

let lab: Lab;
beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  lab = await Lab.start(Object.values(PIPELINES));
}, LIMIT_MS);
afterAll(() => lab?.stop(), LIMIT_MS);

/** Waits until the cycle says that it is held. */
async function held(handle: WorkflowHandle): Promise<void> {
  for (const deadline = Date.now() + NIGHT_LIMIT_MS; ; ) {
    const { stages } = await handle.query<CycleProgress>('progress');
    if (stages.some((row) => row.stage === 'check' && row.detail?.startsWith('held') === true)) return;
    if (Date.now() > deadline) throw new Error(`${handle.workflowId} is not held: ${JSON.stringify(stages)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function decide(handle: WorkflowHandle, decision: DecisionInput['decision'], signature = ADA): Promise<Decision> {
  return handle.executeUpdate<Decision, [DecisionInput]>('decide', { args: [{ decision, ...signature }] });
}

async function rows<T extends object>(text: string, values: readonly unknown[]): Promise<readonly T[]> {
  return (await lab.access.pool.query<T>(text, [...values])).rows;
}

/** As `meridian report` prints it. */
async function lineageOf(spec: PipelineSpec, night: number): Promise<string> {
  const { env, passwords } = lab.engines;
  const database = openDatabase({ host: env['PGHOST'], port: Number(env['PGPORT']), database: env['PGDATABASE'], user: 'postgres', password: passwords.postgres, max: 1 });
  try {
    const [record] = await listCycles(database.db, { pipeline: spec.name, intervalEnd: nightEnd(night) });
    if (record === undefined) throw new Error(`${spec.name} has no record of night ${night}`);
    return lineageText(await readLineage(database.db, record), 'UTC');
  } finally {
    await database.close();
  }
}

test(
  'a night whose gate fails is held: the view keeps serving, nobody else decides; approved, it is promoted, and ledger and view say by whom and why (X9, I4, X5)',
  async () => {
    const story = new Story(lab, PIPELINES.approved);
    await story.ends(1, 'promoted');
    await story.failsRule(2);

    const night = await story.start(2);
    await held(night);
    const while_ = await rows<{ night: string }>(`select distinct night from public.vw_d1_approved_points`, []);
    expect(await refusal(decide(night, 'approve', { by: '', reason: 'x' }))).toMatch(/by: expected 1 to 100 characters/);
    expect((await night.query<CycleProgress>('progress')).next?.map(({ command }) => command)).toEqual(
      ['approve', 'reject'].map((word) => `npx meridian ${word} ${story.spec.name} ${nightEnd(2)} --reason "..."`),
    );
    expect(await decide(night, 'approve')).toMatchObject({ decision: 'approve', by: 'ada', automatic: false });
    await story.ends(2, 'promoted', night);

    expect(while_).toEqual([{ night: nightEnd(1) }]);
    const [promotion] = await rows<{ metadata: object; comment: string }>(
      `select metadata, obj_description('public.vw_d1_approved_points'::regclass) as comment from meridian.promotion where pipeline = $1 and sequence = 2`,
      [story.spec.name],
    );
    expect(promotion?.metadata).toMatchObject({ approvedBy: 'ada', approvalReason: ADA.reason, failedRules: expect.stringMatching(/^added: /) as string });
    expect(JSON.parse(promotion?.comment ?? '')).toMatchObject({ approvedBy: 'ada', approvalReason: ADA.reason });
    expect(await refusal(decide(night, 'reject'))).toMatch(/workflow execution already completed/i);
    expect(await lineageOf(story.spec, 2)).toMatch(
      /: promoted\n.*records +\d+ raw objects: read \d+ = stored .*EMR Serverless run \w+, SUCCESS\n.*FAIL added: .*decision +approved by ada: the sensors were off.*promotion +2, .*served +vw_d1_approved_points → .* rows\n.*told .*\/held: 2.*told .*\/promoted: 2/s,
    );
    for (const [end, why] of [
      [nightEnd(2), /Nothing was cancelled: .* has ended \(completed\), see `meridian cycles show /],
      [nightEnd(9), /Nothing was cancelled: Temporal knows no execution of .* `meridian cycles list --pipeline /],
    ] as const) {
      const named = { pipeline: story.spec.name, intervalEnd: end, workflowId: cycleWorkflowId(story.spec.name, end) };
      expect(await refusal(cancelCycle(lab.access.temporal, named, createOutput({})))).toMatch(why);
    }
    await story.holds();
  },
  LIMIT_MS,
);

test(
  'a rejected night is set aside, and a rerun reads its objects again in a new generation (X8, X9, I1, I2)',
  async () => {
    const story = new Story(lab, PIPELINES.rejected);
    await story.ends(1, 'promoted');
    await story.failsRule(2);
    const night = await story.start(2);
    await held(night);
    await decide(night, 'reject');
    await story.ends(2, 'rejected', night);
    expect(await refusal(story.rerun(2, { from: 'transform', ...ADA }))).toMatch(/no record of it is stored .* --from discover/);
    await lab.script(story.spec, 2, {});

    const report = await story.rerun(2, { from: 'discover', ...ADA });

    expect(report).toMatchObject({ outcome: 'promoted', cycle: { generation: 2 }, rerun: { ofGeneration: 1, by: 'ada' } });
    await story.ends(3, 'promoted');
    await story.holds();
  },
  LIMIT_MS,
);

test(
  'a held night that is terminated is settled by the next one, which reads its objects (I7, I8)',
  async () => {
    const story = new Story(lab, PIPELINES.terminated);
    await story.ends(1, 'promoted');
    await story.failsRule(2);
    const night = await story.start(2);
    await held(night);
    await night.terminate('somebody lost patience');
    await story.ends(2, 'terminated', night);

    await story.ends(3, 'promoted');

    await story.holds();
  },
  LIMIT_MS,
);

test(
  'a worker that is killed while a night is held loses nothing of the decision (I5, I8)',
  async () => {
    const story = new Story(lab, PIPELINES.killed);
    await story.ends(1, 'promoted');
    await story.failsRule(2);
    const night = await story.start(2);
    await held(night);
    const deciding = decide(night, 'approve');
    await lab.workers.kill();

    expect(await deciding).toMatchObject({ decision: 'approve' });
    await story.ends(2, 'promoted', night);
    await story.holds({ killed: true });
  },
  LIMIT_MS,
);

test(
  'a promoted night runs again from transform, check or load: records are reused, each time a new generation is promoted; what later nights overtook is refused (X8, I1, I2, I5)',
  async () => {
    const story = new Story(lab, PIPELINES.rerun);
    await story.ends(1, 'promoted');
    expect(await refusal(story.rerun(1, { from: 'discover', ...ADA }))).toMatch(/its records are stored .* --from transform/);

    const transformed = await story.rerun(1, { from: 'transform', ...ADA });
    const checked = await story.rerun(1, { from: 'check', ...ADA });
    const loaded = await story.rerun(1, { from: 'load', ...ADA });

    expect([transformed, checked, loaded].map(({ outcome, cycle, records }) => [outcome, cycle.generation, records])).toEqual(
      [2, 3, 4].map((generation) => ['promoted', generation, transformed.records]),
    );
    expect(transformed.records?.stored).toBeGreaterThan(0);
    const steps = await rows<{ generation: number; steps: string[] }>(
      'select generation, array_agg(step order by step) as steps from meridian.job where pipeline = $1 group by generation order by generation',
      [story.spec.name],
    );
    expect(steps).toEqual([
      { generation: 1, steps: ['check-added', 'check-served', 'transform'] },
      { generation: 2, steps: ['check-added', 'check-served', 'transform'] },
      { generation: 3, steps: ['check-added', 'check-served'] },
    ]);
    await story.ends(2, 'promoted');
    expect(await refusal(story.rerun(1, { from: 'load', ...ADA }))).toMatch(/storage has changed since its transform .* --from transform/);
    expect((await rows('select 1 from meridian.cycle where pipeline = $1 and interval_end = $2', [story.spec.name, nightEnd(1)])).length).toBe(4);
    await story.holds();
  },
  LIMIT_MS,
);

test(
  'discarding says for good that nobody reads what a rejected night set aside, and by whom (X9)',
  async () => {
    const story = new Story(lab, PIPELINES.discarded);
    await story.ends(1, 'promoted');
    const discard = (index: number) =>
      lab.access.temporal.workflow.execute('discardCycle', {
        workflowId: `discard/${story.spec.name}-${nightEnd(index)}`,
        taskQueue: 'meridian',
        args: [{ pipeline: story.spec.name, intervalEnd: nightEnd(index), ...ADA }],
      });
    expect(await refusal(discard(1))).toMatch(/no generation of it was rejected/);
    await story.failsRule(2);
    await story.ends(2, 'rejected');

    expect(await discard(2)).toEqual({ discarded: 4 });

    const [record] = await rows<{ discarded: object }>(`select counts -> 'discarded' as discarded from meridian.cycle where pipeline = $1 and outcome = 'rejected'`, [story.spec.name]);
    expect(record?.discarded).toMatchObject({ objects: 4, ...ADA });
    await lab.script(story.spec, 2, {});
    expect(await story.rerun(2, { from: 'discover', ...ADA })).toMatchObject({ outcome: 'empty' });
    await story.ends(3, 'promoted');
  },
  LIMIT_MS,
);
