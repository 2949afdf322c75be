import { DefaultLogger, Runtime } from '@temporalio/worker';
import type { RollbackReport, RollbackRequest } from '../../domain/rollback';
import { Lab } from '../faults/lab';
import { faultPipeline } from '../faults/pipeline';
import { nightEnd } from '../faults/raw-night';
import { refusal, Story } from '../faults/story';

const LIMIT_MS = 5 * 60_000;
const MOMENTS = ['before', 'after'] as const;
const PIPELINES = { whole: faultPipeline('r1-whole'), before: faultPipeline('r2-before'), after: faultPipeline('r3-after') } as const;

let lab: Lab;
beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  lab = await Lab.start(Object.values(PIPELINES));
}, LIMIT_MS);
afterAll(() => lab?.stop(), LIMIT_MS);

let started = 0;
async function execute<T>(type: string, input: object): Promise<T> {
  started += 1;
  return (await lab.access.temporal.workflow.execute(type, { workflowId: `${type}-${started}`, taskQueue: 'meridian', args: [input] })) as T;
}
const rollBack = ({ spec }: Story, more: Partial<RollbackRequest> = {}) =>
  execute<RollbackReport>('rollback', { pipeline: spec.name, by: 'ada', reason: 'wrong data', ...more });

async function servedNights({ spec }: Story): Promise<readonly string[]> {
  const view = spec.relations[0]?.view ?? '';
  return (await lab.access.pool.query<{ night: string }>(`select distinct night from public.${view}`)).rows.map((row) => row.night);
}

test(
  'three nights, a rollback, a night that ends blocked, and one that serves all once somebody says to go on: nothing lost, nothing twice, told once (X3, I1, I2, I6, I9)',
  async () => {
    const story = new Story(lab, PIPELINES.whole);
    for (const index of [1, 2, 3]) await story.ends(index, 'promoted');

    const report = await rollBack(story);
    const afterRollback = await servedNights(story);
    await story.ends(4, 'blocked');
    const whileHeld = await servedNights(story);
    expect(await execute('releaseHold', { pipeline: story.spec.name, by: 'grace' })).toEqual({ released: true });
    await story.ends(5, 'promoted');

    expect(report).toMatchObject({ sequence: 4, held: true, plan: { restored: 2 } });
    expect([afterRollback, whileHeld, await servedNights(story)]).toEqual([[nightEnd(2)], [nightEnd(2)], [nightEnd(5)]]);
    expect(await refusal(rollBack(story, { to: 99 }))).toMatch(/version 99 of "r1_whole_points" was never made, expected .* kept are 3, 2/);
    await story.holds();
  },
  LIMIT_MS,
);

test.each(MOMENTS)(
  'a worker that is killed %s its rollback reached the database: the next one goes on, and it is made and told once (X3, I6, I9)',
  async (moment) => {
    const story = new Story(lab, PIPELINES[moment]);
    await story.ends(1, 'promoted');
    await story.ends(2, 'promoted');
    const struck = lab.engines.postgres.arm({ text: 'meridian.rollback(', moment, from: 1, times: 1, act: () => lab.workers.kill() });

    const report = await rollBack(story, { hold: false });

    lab.engines.disarm();
    expect(struck()).toBe(1);
    expect(report).toMatchObject({ sequence: 3, plan: { restored: 1 } });
    expect(await servedNights(story)).toEqual([nightEnd(1)]);
    await story.ends(3, 'promoted');
    await story.holds({ killed: true });
  },
  LIMIT_MS,
);
