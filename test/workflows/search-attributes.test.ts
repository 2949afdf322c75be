import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { SEARCH_ATTRIBUTES } from '../../domain/search-attribute-names';
import { requireSearchAttributes } from '../../worker/search-attributes';
import * as keys from '../../workflows/search-attributes';
import { startTestEnvironment } from '../support/temporal';

let environment: TestWorkflowEnvironment;
beforeAll(async () => {
  environment = await startTestEnvironment();
}, 60_000);
afterAll(() => environment.teardown());

test('what workflows set is what a namespace is asked to have', () => {
  const set = Object.values(keys).map((key) => key.name).filter((name) => name.startsWith('Meridian'));

  expect(set.sort()).toEqual(Object.keys(SEARCH_ATTRIBUTES).sort());
});

test('a worker refuses a namespace without them, names each and the command that adds them (I8)', async () => {
  const operator = environment.connection.operatorService;
  await expect(requireSearchAttributes(operator, 'default')).resolves.toBeUndefined();

  await operator.removeSearchAttributes({ namespace: 'default', searchAttributes: ['MeridianStage'] });

  await expect(requireSearchAttributes(operator, 'default')).rejects.toThrow(/MeridianStage: add them once with `temporal operator .*--name MeridianStage --type Keyword/);
});
