import { TransactionCanceledException } from '@aws-sdk/client-dynamodb';
import { createBatchActivities } from '../../activities/batches';
import { createLedgerActivities } from '../../activities/ledger';
import { FailureType } from '../../domain/failure-type';
import { type Deps, type LedgerStack, startLedgerStack } from './support/ledger-stack';
import { discover, lines, nightEnding, putRaw, rawKey, run, runNight, SPEC, storedRecords } from './support/nights';
import { type Call, wrapped } from './support/wrapped-client';

let stack: LedgerStack;
let deps: Deps;
beforeAll(async () => {
  stack = await startLedgerStack();
});
afterAll(() => stack.stop());
beforeEach(async () => {
  deps = await stack.fresh();
  const records = Array.from({ length: 50 }, (_, index) => ({ timestamp: Date.parse('2018-08-01T13:00:00Z'), longitude: index, latitude: 1 }));
  for (let object = 0; object < 30; object++) await putRaw(deps, rawKey('2018-08-01T13', `o${object}`), lines(records));
});

const night = nightEnding('2018-08-02');
const cancelled = (Code: string) =>
  new TransactionCanceledException({ message: 'cancelled', $metadata: {}, CancellationReasons: [{ Code: 'None' }, { Code }] });
const named = (name: string) => Object.assign(new Error('slow down'), { name });

/** Fails the first `times` calls of each kind. */
function failing(times: number, errorOf: (call: Call) => Error | undefined): Deps {
  const failures = new Map<string, number>();
  return {
    ...deps,
    dynamodb: wrapped(deps.dynamodb, {
      before: (call) => {
        const error = errorOf(call);
        const sofar = failures.get(call.name) ?? 0;
        if (error === undefined || sofar >= times) return;
        failures.set(call.name, sofar + 1);
        throw error;
      },
    }),
  };
}

test.each(['ProvisionedThroughputExceededException', 'ThrottlingException', 'RequestLimitExceeded', 'TransactionInProgressException'])(
  '%s is waited out, call by call (S2.36)',
  async (name) => {
    const kinds = ['GetItemCommand', 'PutItemCommand', 'TransactWriteItemsCommand', 'DeleteItemCommand'];
    const { counts } = await runNight(failing(2, (call) => (kinds.includes(call.name) ? named(name) : undefined)), night);
    expect(counts).toMatchObject({ read: 1_500, stored: 50, duplicates: 1_450 });
  },
);

test.each(['TransactionConflict', 'ThrottlingError', 'ProvisionedThroughputExceeded'])(
  'a transaction cancelled for %s is tried again, and commits once',
  async (code) => {
    const conflicting = failing(3, (call) => (call.name === 'TransactWriteItemsCommand' ? cancelled(code) : undefined));
    expect((await runNight(conflicting, night)).counts).toMatchObject({ stored: 50 });
    expect(await storedRecords(deps)).toHaveLength(50);
  },
);

test('a ledger that throttles on and on fails the attempt, for Temporal to retry', async () => {
  const failure = { type: FailureType.Throttled, nonRetryable: false };
  await expect(runNight(failing(1_000, (call) => (call.name === 'PutItemCommand' ? named('ThrottlingException') : undefined)), night)).rejects.toMatchObject(failure);
  expect((await runNight(deps, night)).counts).toMatchObject({ stored: 50 });
});

test('a transaction that is refused for another reason is final, and says why', async () => {
  const refused = failing(1, (call) => (call.name === 'TransactWriteItemsCommand' ? cancelled('ValidationError') : undefined));
  await expect(runNight(refused, night)).rejects.toMatchObject({ type: FailureType.LedgerRefused, nonRetryable: true, message: expect.stringContaining('ValidationError') as unknown });
});

test('items that BatchWriteItem leaves unprocessed are written in the end', async () => {
  await discover(deps, night);
  let refusals = 0;
  const partial = wrapped(deps.dynamodb, {
    before: ({ name, input }) => {
      if (name !== 'BatchWriteItemCommand' || refusals >= 4) return;
      // Only the first item reaches the service; the rest comes back below.
      const [[table = '', requests = []] = []] = Object.entries(input.RequestItems as Record<string, unknown[]>);
      refusals += 1; // before the answer: several are on their way at once
      Object.assign(input, { held: requests.slice(1), RequestItems: { [table]: requests.slice(0, 1) } });
    },
    answer: ({ name, input }, answer) => {
      if (name !== 'BatchWriteItemCommand' || !Array.isArray(input.held)) return answer;
      return { ...(answer as object), UnprocessedItems: { [deps.objectsTable]: input.held as unknown[] } };
    },
  });
  const { marked } = await run(createBatchActivities({ ...deps, dynamodb: partial }).markObjects, { cycle: night, spec: SPEC, state: 'loaded' as const });

  expect({ marked, refusals }).toEqual({ marked: 30, refusals: 4 });
  expect(await discover(deps, nightEnding('2018-08-03'))).toMatchObject({ objectCount: 0 });
});

test('keys that BatchGetItem leaves unprocessed are read in the end', async () => {
  await runNight(deps, night);
  await putRaw(deps, rawKey('2018-08-02T13', 'again'), lines([{ timestamp: Date.parse('2018-08-01T13:00:00Z'), longitude: 7, latitude: 1 }]));
  let refused = false;
  const partial = wrapped(deps.dynamodb, {
    answer: ({ name, input }, answer) => {
      if (name !== 'BatchGetItemCommand' || refused) return answer;
      refused = true;
      return { $metadata: {}, Responses: {}, UnprocessedKeys: input.RequestItems };
    },
  });
  const cold = { ...deps, dynamodb: partial, workDir: `${deps.workDir}-cold` };
  await discover(cold, nightEnding('2018-08-03'));
  const ledger = createLedgerActivities(cold);

  const { counts } = await run(ledger.dedupChunks, { cycle: nightEnding('2018-08-03'), spec: SPEC, fromChunk: 0, toChunk: 1, epoch: 1 });
  expect(refused).toBe(true);
  expect(counts).toMatchObject({ stored: 0 });
});
