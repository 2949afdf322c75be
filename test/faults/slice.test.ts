import { DefaultLogger, Runtime } from '@temporalio/worker';
import { type Cell, CELLS } from './cells/cells';
import { Lab } from './lab';
import { prepare, runScenario, type Scenario, scenarioOf } from './scenario';

/**
 * The few cells of the board that every run of the suite breaks: one of each kind of fault, at the worst moment of each stage.
 * `npm run faults` runs them all.
 */
const SLICE: readonly string[] = [
  'turn/take the turn/cancel/before', // once left the night failed, told to nobody, its chunks not voided
  'discover/write the batch manifest/response lost',
  'dedup/read a raw object/body altered, no checksum',
  'dedup/commit a chunk/TransactionConflict',
  'dedup/commit a chunk/worker SIGKILL/after',
  'dedup/commit a chunk/timed-out attempt goes on/before',
  'transform/start the job run/response lost',
  'transform/start the job run/worker SIGKILL/after',
  'transform/ask for the job run/Temporal SIGKILL/after',
  'transform/start the job run/job lose-row',
  'check/start the quality run/gate error-rule',
  'load/commit a part/connection cut/after',
  'load/COPY a part/PostgreSQL immediate stop/before',
  'load/COPY a part/terminate/before', // once told to nobody
  'promote/repoint the views/connection cut/after',
  'publish/notify/response lost',
  'approval/publish/notify/worker SIGKILL/after',
  'dry run/promote/repoint the views/terminate/before',
  'refresh by day/load/commit unchanged days/connection cut/after',
  'refresh by day/load/copy unchanged days/worker SIGKILL/before',
  'refresh by day/promote/repoint the views/worker SIGKILL/after',
];
const SEED = 1;
const LIMIT_MS = 10 * 60_000;

let lab: Lab;
const scenarios = new Map<string, Scenario>();

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  for (const id of SLICE) scenarios.set(id, scenarioOf(cellOf(id), CELLS.indexOf(cellOf(id)), SEED));
  lab = await Lab.start([...scenarios.values()].map(({ spec }) => spec));
  await prepare(lab, [...scenarios.values()]);
}, LIMIT_MS);
afterAll(() => lab?.stop(), LIMIT_MS);

function cellOf(id: string): Cell {
  const cell = CELLS.find((each) => each.id === id);
  if (cell === undefined) throw new Error(`No cell is called "${id}": npm run faults -- --list`);
  return cell;
}

test.each(SLICE)(
  'nothing is lost, nothing twice, nobody blocked: %s (I1–I9, X1, X2, X6, S0.13, S0.15, S2.35)',
  async (id) => {
    const scenario = scenarios.get(id);
    if (scenario === undefined) throw new Error(`${id} was not prepared`);

    const result = await runScenario(lab, scenario);

    expect(result.violations).toEqual([]);
    expect(result.counts).toMatchObject({ lost: 0, duplicated: 0, badReads: 0, jobsPerTokenMax: 1 });
    expect(result.counts.reads).toBeGreaterThan(0);
  },
  LIMIT_MS,
);

test('the board has at least 150 cells, each with a name of its own', () => {
  expect(CELLS.length).toBeGreaterThanOrEqual(150);
  expect(new Set(CELLS.map((cell) => cell.id)).size).toBe(CELLS.length);
});
