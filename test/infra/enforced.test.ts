import { DefaultLogger, Runtime } from '@temporalio/worker';
import { CycleOutcome } from '../../domain/cycle';
import { Lab } from '../faults/lab';
import { faultPipeline } from '../faults/pipeline';
import { rawNight } from '../faults/raw-night';

const LIMIT_MS = 180_000;
const SPEC = faultPipeline('enforced');

let lab: Lab;

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  lab = await Lab.start([SPEC], true);
}, LIMIT_MS);
afterAll(() => lab?.stop(), LIMIT_MS);

test('with every call held against its policies a cycle promotes, under the credentials of the roles and no others (S2.21, S1.13, X14)', async () => {
  const uploads = rawNight(SPEC.name, 1, 1, []);
  await lab.upload(uploads);

  const ended = await lab.ended(await lab.startNight(SPEC, 1), LIMIT_MS);

  expect(ended).toEqual({ outcome: CycleOutcome.Promoted, detail: '' });
});
