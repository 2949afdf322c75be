import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AttributeValue, DeleteItemCommand, PutItemCommand, QueryCommand, ScanCommand, TransactWriteItemsCommand, type TransactWriteItemsCommandInput } from '@aws-sdk/client-dynamodb';
import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { createBatchActivities } from '../../activities/batches';
import { createLedgerActivities } from '../../activities/ledger';
import { FailureType } from '../../domain/failure-type';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { Hold, isCommit } from './support/hold';
import { type Deps, type LedgerStack, startLedgerStack } from './support/ledger-stack';
import { activityContext, discover, keysIn, lines, nightEnding, putRaw, type RawRecord, rawKey, run, runNight, SPEC, storedRecords } from './support/nights';
import { wrapped } from './support/wrapped-client';

let stack: LedgerStack;
let deps: Deps;
beforeAll(async () => {
  stack = await startLedgerStack();
});
afterAll(() => stack.stop());
beforeEach(async () => {
  deps = await stack.fresh();
});

const night = nightEnding('2018-08-02');
const HOUR = '2018-08-01T13';
const at = (text: string) => Date.parse(text);
const position = (longitude: number, time = '2018-08-01T13:30:00Z'): RawRecord => ({ timestamp: at(time), longitude, latitude: 47 });
const positions = (count: number, first = 0) => Array.from({ length: count }, (_, index) => position((first + index) / 1e4));

function dedup(from: Deps, input: { cycle?: typeof night; epoch?: number; toChunk?: number } = {}) {
  const { cycle = night, epoch = 1, toChunk = 1 } = input;
  return run(createLedgerActivities(from).dedupChunks, { cycle, spec: SPEC, fromChunk: 0, toChunk, epoch });
}

/** Log and segments of an event date. */
async function itemsOfDate(eventDate: string): Promise<Record<string, AttributeValue>[]> {
  const { Items = [] } = await deps.dynamodb.send(
    new ScanCommand({
      TableName: deps.ledgerTable,
      FilterExpression: 'begins_with(pk, :pk)',
      ExpressionAttributeValues: { ':pk': { S: `mobile_positions#${eventDate}` } },
    }),
  );
  return Items;
}

async function itemsOf(pk: string): Promise<Record<string, AttributeValue>[]> {
  const { Items = [] } = await deps.dynamodb.send(
    new QueryCommand({
      TableName: deps.ledgerTable,
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: { ':pk': { S: pk } },
    }),
  );
  return Items;
}

describe('first of equal records', () => {
  test('the lowest object in byte order wins, then the lowest line; -0.0 is 0.0 (S2.12, S2.36)', async () => {
    await putRaw(deps, rawKey(HOUR, 'b.gz'), lines([position(1), position(2), position(2)]));
    await putRaw(deps, rawKey(HOUR, 'a.gz'), lines([position(2), position(2), { ...position(0), latitude: 0 }]));
    await putRaw(deps, rawKey(HOUR, 'c'), Buffer.from(JSON.stringify({ ...position(0), latitude: 0 }).replace('"longitude":0', '"longitude":-0.0')));

    expect((await runNight(deps, night)).counts).toEqual({ read: 7, stored: 3, duplicates: 4, quarantined: {} });
    expect((await storedRecords(deps)).map(({ longitude, rawObject, rawLine }) => [longitude, rawObject.slice(-4), rawLine]).sort()).toEqual([
      [0, 'a.gz', 3],
      [1, 'b.gz', 1],
      [2, 'a.gz', 1],
    ]);
  });

  test('chunks are stored in manifest order, so an earlier object wins across chunks too', async () => {
    const spec: PipelineSpec = { ...SPEC, dedup: { ...SPEC.dedup, chunkBytes: 1 } };
    for (const name of ['c', 'a', 'b']) await putRaw(deps, rawKey(HOUR, name), lines([position(1)]));

    expect(await runNight(deps, night, { spec })).toMatchObject({ chunkCount: 3, counts: { read: 3, stored: 1, duplicates: 2 } });
    expect((await storedRecords(deps)).map(({ rawObject }) => rawObject)).toEqual([rawKey(HOUR, 'a')]);
  });
});

describe('window and expiry', () => {
  test('repeats from up to three previous days are not stored twice (S2.3, S2.13, S2.14)', async () => {
    await putRaw(deps, rawKey('2018-08-01T13', 'a'), lines([position(1)]));
    await runNight(deps, night);
    for (const [date, hour] of [['2018-08-03', '2018-08-02T13'], ['2018-08-05', '2018-08-04T13']] as const) {
      await putRaw(deps, rawKey(hour, 'b'), lines([position(1), position(2)]));
      await runNight(deps, nightEnding(date));
    }
    expect((await storedRecords(deps)).map(({ longitude }) => longitude)).toEqual([1, 2]);
  });

  // In 2099 nothing can have been deleted yet: there the ledger alone must know, without a look at storage.
  test.each(['2018', '2099'])('an object that is found nights late is compared with all that was stored before it arrived, in %s (S2.3, S2.15, I2)', async (year) => {
    const sighted = position(1, `${year}-08-01T13:30:00Z`);
    await putRaw(deps, rawKey(`${year}-08-01T13`, 'a'), lines([sighted]));
    await runNight(deps, nightEnding(`${year}-08-02`));
    // Arrived on the 4th, found on the 7th, after two nights that failed: 08-01 + 3 + 1 days had ended by then.
    await putRaw(deps, rawKey(`${year}-08-04T12`, 'late'), lines([sighted, sighted]));
    await putRaw(deps, rawKey(`${year}-08-04T13`, 'later'), lines([sighted]));
    const spec: PipelineSpec = { ...SPEC, dedup: { ...SPEC.dedup, chunkBytes: 1 } };

    expect((await runNight(deps, nightEnding(`${year}-08-07`), { spec })).counts).toMatchObject({ stored: 0, duplicates: 3 });
    expect(await storedRecords(deps)).toHaveLength(1);
  });

  test('a backfill of 2018 writes items that DynamoDB keeps for a whole window from now', async () => {
    await putRaw(deps, rawKey(HOUR, 'a'), lines([position(1)]));
    const before = Date.now() / 1000;
    await runNight(deps, night);
    const items = await itemsOfDate('2018-08-01');
    const [log, segment] = ['log#', 'segment'].map((prefix) => items.find((item) => item.sk?.S?.startsWith(prefix)));
    expect(Number(log?.ttl?.N)).toBeGreaterThanOrEqual(before + 4 * 86_400);
    expect(Number(segment?.ttl?.N)).toBeGreaterThan(Number(log?.ttl?.N));
  });

  test.each([
    ['log and segments', (sk: string) => !sk.startsWith('keep')],
    ['a segment only', (sk: string) => sk === 'segment'],
  ])('a backfill after DynamoDB removed %s finds what was stored in storage itself (design section 5)', async (_what, isGone) => {
    await putRaw(deps, rawKey('2018-08-01T13', 'a'), lines([position(1), position(2), position(3)]));
    await runNight(deps, night);
    for (const item of await itemsOfDate('2018-08-01')) {
      const { pk, sk } = item;
      if (pk === undefined || sk?.S === undefined || !isGone(sk.S)) continue;
      await deps.dynamodb.send(new DeleteItemCommand({ TableName: deps.ledgerTable, Key: { pk, sk } }));
    }
    await rm(join(deps.workDir, 'segments'), { recursive: true });
    await putRaw(deps, rawKey('2018-08-02T13', 'b'), lines([position(2), position(4)]));
    await putRaw(deps, rawKey('2018-08-03T13', 'c'), lines([position(3), position(4), position(5)]));

    expect((await runNight(deps, nightEnding('2018-08-03'))).counts).toMatchObject({ stored: 1, duplicates: 4 });
    expect((await runNight(deps, nightEnding('2018-08-04'))).counts).toMatchObject({ stored: 1 });
    expect((await storedRecords(deps)).map(({ longitude }) => longitude).sort()).toEqual([1, 2, 3, 4, 5]);
  });

  test.each([
    ['of the cache is cut', () => cutCachedSegments((bytes) => bytes.subarray(16))],
    ['of the cache is empty', () => cutCachedSegments(() => Buffer.alloc(0))],
    ['of the ledger is cut', async () => {
      await cutSegmentItems();
      await rm(join(deps.workDir, 'segments'), { recursive: true });
    }],
  ])('a segment %s: what it held is found where it still is whole (I2)', async (_what, cut) => {
    await putRaw(deps, rawKey('2018-08-01T13', 'a'), lines([position(1), position(2), position(3)]));
    await runNight(deps, night);
    await cut();
    await putRaw(deps, rawKey('2018-08-02T13', 'b'), lines([position(1), position(2), position(3), position(4)]));

    expect((await runNight(deps, nightEnding('2018-08-03'))).counts).toMatchObject({ stored: 1, duplicates: 6 });
  });

  test('what was found in storage is asked of the ledger no more (S2.16)', async () => {
    await putRaw(deps, rawKey('2018-08-01T13', 'a'), lines([position(1), position(2), position(3)]));
    await runNight(deps, night);
    await cutSegmentItems();
    await rm(join(deps.workDir, 'segments'), { recursive: true });
    const { watched, segmentsRead } = watchedReads();

    expect((await runNight({ ...deps, dynamodb: watched }, nightEnding('2018-08-03'))).counts).toMatchObject({ stored: 0, duplicates: 3 });
    expect(segmentsRead()).toBe(1);
    expect((await runNight({ ...deps, dynamodb: watched }, nightEnding('2018-08-04'))).counts).toMatchObject({ stored: 0, duplicates: 3 });
    expect(segmentsRead()).toBe(1);
  });

  test('storage that does not hold what was committed is not compared with', async () => {
    await putRaw(deps, rawKey('2018-08-01T13', 'a'), lines([position(1), position(2), position(3)]));
    await runNight(deps, night);
    for (const { pk, sk } of await itemsOfDate('2018-08-01')) {
      if (pk !== undefined && sk?.S === 'segment') await deps.dynamodb.send(new DeleteItemCommand({ TableName: deps.ledgerTable, Key: { pk, sk } }));
    }
    await rm(join(deps.workDir, 'segments'), { recursive: true });
    for (const item of await itemsOf('mobile_positions#chunks')) await deps.dynamodb.send(new PutItemCommand({ TableName: deps.ledgerTable, Item: { ...item, dates: { M: { '2018-08-01': { N: '4' } } } } }));
    await putRaw(deps, rawKey('2018-08-02T13', 'b'), lines([position(4)]));

    await expect(runNight(deps, nightEnding('2018-08-03'))).rejects.toMatchObject({ type: FailureType.CountsDoNotAddUp, message: expect.stringContaining('do not hold the 4 records of 2018-08-01 that were committed') as string });
  });
});

async function cutCachedSegments(cut: (bytes: Buffer) => Uint8Array): Promise<void> {
  const dir = join(deps.workDir, 'segments');
  const files = (await readdir(dir, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  expect(files).not.toEqual([]);
  for (const { parentPath, name } of files) await writeFile(join(parentPath, name), cut(await readFile(join(parentPath, name))));
}

/** The table's client, and how many segments it was asked for so far. */
function watchedReads(): { readonly watched: Deps['dynamodb']; readonly segmentsRead: () => number } {
  let count = 0;
  const watched = wrapped(deps.dynamodb, {
    before: ({ name, input }) => {
      const tables = Object.values((input.RequestItems ?? {}) as Record<string, { Keys?: unknown[] }>);
      if (name === 'BatchGetItemCommand') count += tables.reduce((sum, { Keys = [] }) => sum + Keys.length, 0);
    },
  });
  return { watched, segmentsRead: () => count };
}

async function cutSegmentItems(): Promise<void> {
  for (const item of await itemsOfDate('2018-08-01')) {
    const bytes = item.fingerprints?.B;
    if (bytes !== undefined) await deps.dynamodb.send(new PutItemCommand({ TableName: deps.ledgerTable, Item: { ...item, fingerprints: { B: bytes.subarray(16) } } }));
  }
}

describe('attempts that overlap', () => {
  test('a chunk that is committed returns what it recorded, and writes nothing (S2.35)', async () => {
    await putRaw(deps, rawKey(HOUR, 'a'), lines(positions(10)));
    const first = await runNight(deps, night);
    const files = await keysIn(deps, 'storage');

    const again = await dedup(deps);

    expect(again).toEqual({ counts: first.counts, files: first.files, capacity: { readUnits: 2, writeUnits: 0, requests: 2 } });
    expect(await keysIn(deps, 'storage')).toEqual(files);
  });

  test('two attempts at one chunk come to one record, and the loser leaves nothing behind', async () => {
    await putRaw(deps, rawKey(HOUR, 'a'), lines([...positions(10), { ...position(1), latitude: null }]));
    await prepared();
    const hold = new Hold(isCommit);
    const late = dedup({ ...deps, dynamodb: wrapped(deps.dynamodb, hold.interference) });
    await hold.reached;
    const winner = await dedup(deps);
    hold.letGo();

    expect(await late).toMatchObject({ counts: winner.counts, files: 1 });
    expect(await storedRecords(deps)).toHaveLength(10);
    expect(await keysIn(deps, 'storage')).toHaveLength(1);
    expect(await keysIn(deps, 'quarantine')).toHaveLength(1);
    expect(await itemsOf('mobile_positions#attempts')).toEqual([]);
  });

  test('a commit whose answer was lost, and whose repetition is refused, keeps its files', async () => {
    await putRaw(deps, rawKey(HOUR, 'a'), lines(positions(10)));
    await prepared();
    // What a retry inside the SDK meets once DynamoDB has forgotten its token.
    const repeating = wrapped(deps.dynamodb, {
      before: async ({ name, input }) => {
        if (name !== 'TransactWriteItemsCommand') return;
        await deps.dynamodb.send(new TransactWriteItemsCommand({ ...(input as unknown as TransactWriteItemsCommandInput), ClientRequestToken: 'first' }));
      },
    });

    expect((await dedup({ ...deps, dynamodb: repeating })).counts).toMatchObject({ stored: 10 });
    expect(await storedRecords(deps)).toHaveLength(10);
  });

  test('a writer whom another one beat to a date compares again, and stores only what is still new', async () => {
    await putRaw(deps, rawKey(HOUR, 'a'), lines(positions(10)));
    await prepared();
    await putRaw(deps, rawKey('2018-08-02T01', 'b'), lines(positions(10, 5)));
    const other = nightEnding('2018-08-03');
    await discover(deps, other);
    const hold = new Hold(isCommit);
    const slow = dedup({ ...deps, dynamodb: wrapped(deps.dynamodb, hold.interference) });
    await hold.reached;
    const fast = await dedup(deps, { cycle: other }); // holds a.gz too: nothing had loaded it
    hold.letGo();

    expect(fast.counts).toMatchObject({ read: 20, stored: 15 });
    expect((await slow).counts).toMatchObject({ read: 10, stored: 0, duplicates: 10 });
    expect(await storedRecords(deps)).toHaveLength(15);
  });

  test('records that were duplicates only of what is voided meanwhile are stored after all', async () => {
    await putRaw(deps, rawKey(HOUR, 'a'), lines(positions(10)));
    await runNight(deps, night);
    const other = nightEnding('2018-08-03');
    await discover(deps, other);
    const hold = new Hold(isCommit);
    const slow = dedup({ ...deps, dynamodb: wrapped(deps.dynamodb, hold.interference) }, { cycle: other });
    await hold.reached;
    await run(createLedgerActivities(deps).voidCycle, { cycle: night, spec: SPEC, epoch: 1 });
    hold.letGo();

    expect((await slow).counts).toMatchObject({ stored: 10, duplicates: 0 });
    expect((await storedRecords(deps)).every((record) => record.cycleId.includes('20180803'))).toBe(true);
  });

  test('an attempt under an older epoch stores nothing, whenever it wakes up (I2, I7)', async () => {
    await putRaw(deps, rawKey(HOUR, 'a'), lines(positions(10)));
    await prepared();
    const hold = new Hold(isCommit);
    const late = dedup({ ...deps, dynamodb: wrapped(deps.dynamodb, hold.interference) });
    const lateResult = expect(late).rejects.toMatchObject({ type: FailureType.TurnLost, nonRetryable: true });
    await hold.reached;
    await run(createLedgerActivities(deps).raiseFence, { dataset: SPEC.dataset, epoch: 2 });
    hold.letGo();

    await lateResult;
    expect(await storedRecords(deps)).toEqual([]);
    await expect(run(createLedgerActivities(deps).voidCycle, { cycle: night, spec: SPEC, epoch: 1 })).rejects.toMatchObject({
      type: FailureType.TurnLost,
    });
    expect((await dedup(deps, { epoch: 2 })).counts).toMatchObject({ stored: 10 });
  });

  test('an attempt of a generation that was voided stores nothing, though its epoch is still the turn\'s', async () => {
    await putRaw(deps, rawKey(HOUR, 'a'), lines(positions(10)));
    await prepared();
    const hold = new Hold(isCommit);
    const late = dedup({ ...deps, dynamodb: wrapped(deps.dynamodb, hold.interference) });
    const lateResult = expect(late).rejects.toMatchObject({ type: FailureType.LedgerRefused, nonRetryable: true });
    await hold.reached;
    expect(await run(createLedgerActivities(deps).voidCycle, { cycle: night, spec: SPEC, epoch: 1 })).toEqual({ voided: 0 });
    hold.letGo();

    await lateResult;
    expect(await storedRecords(deps)).toEqual([]);
    expect(await keysIn(deps, 'storage')).toEqual([]);
  });

  test('the fence only grows, and nothing commits without one', async () => {
    const ledger = createLedgerActivities(deps);
    await putRaw(deps, rawKey(HOUR, 'a'), lines(positions(1)));
    await discover(deps, night);
    await expect(dedup(deps)).rejects.toMatchObject({ type: FailureType.TurnLost });
    for (const epoch of [3, 3, 7]) await run(ledger.raiseFence, { dataset: SPEC.dataset, epoch });
    await expect(run(ledger.raiseFence, { dataset: SPEC.dataset, epoch: 6 })).rejects.toMatchObject({ type: FailureType.TurnLost });
    expect((await dedup(deps, { epoch: 7 })).counts).toMatchObject({ stored: 1 });
  });
});

describe('voiding', () => {
  test('takes records, files and totals back, twice as well as once; another generation stores them again', async () => {
    const spec: PipelineSpec = { ...SPEC, dedup: { ...SPEC.dedup, chunkBytes: 1 } };
    for (const name of ['a', 'b', 'c']) await putRaw(deps, rawKey(HOUR, name), lines([...positions(10), position(2, '2018-07-31T01:00:00Z'), {}]));
    await runNight(deps, night, { spec });
    const ledger = createLedgerActivities(deps);
    expect(await run(ledger.chunkTotals, { cycle: night })).toEqual({
      chunks: 3,
      files: 2,
      counts: { read: 36, stored: 11, duplicates: 22, quarantined: { bad_timestamp: 3 } },
    });

    for (let time = 0; time < 2; time++) {
      expect(await run(ledger.voidCycle, { cycle: night, spec, epoch: 1 })).toEqual({ voided: 3 });
      expect(await storedRecords(deps)).toEqual([]);
      expect(await keysIn(deps, 'storage')).toEqual([]);
      expect(await keysIn(deps, 'quarantine')).toEqual([]);
      expect(await run(ledger.chunkTotals, { cycle: night })).toMatchObject({ chunks: 0, files: 0, counts: { read: 0 } });
    }
    expect((await itemsOf('mobile_positions#2018-08-01')).filter((item) => item.kind?.S === 'void')).toHaveLength(1);

    await expect(runNight(deps, night, { spec })).rejects.toMatchObject({ type: FailureType.LedgerRefused });
    expect((await runNight(deps, nightEnding('2018-08-02', 2), { spec })).counts).toMatchObject({ stored: 11, duplicates: 22 });
  });
});

test('voiding a rejected night keeps its quarantine, and what a crashed attempt left of it goes all the same', async () => {
  await putRaw(deps, rawKey(HOUR, 'a'), lines([position(1), {}]));
  await prepared();
  const dying = wrapped(deps.dynamodb, { before: (call) => { if (isCommit(call)) throw new Error('died'); } });
  await expect(dedup({ ...deps, dynamodb: dying })).rejects.toThrow('died');
  expect(await keysIn(deps, 'quarantine')).toHaveLength(1);
  await dedup(deps);
  const [kept, ...others] = await keysIn(deps, 'quarantine');

  expect(await run(createLedgerActivities(deps).voidCycle, { cycle: night, spec: SPEC, epoch: 1, keepQuarantine: true })).toEqual({ voided: 1 });
  expect(others).toEqual([]);
  expect(await keysIn(deps, 'quarantine')).toEqual([kept]);
  expect(await keysIn(deps, 'storage')).toEqual([]);
});

describe('running as an activity', () => {
  test('heartbeats carry the chunk and the counts so far', async () => {
    const spec: PipelineSpec = { ...SPEC, dedup: { ...SPEC.dedup, chunkBytes: 1 } };
    for (const name of ['a', 'b']) await putRaw(deps, rawKey(HOUR, name), lines(positions(5)));
    await discover(deps, night, spec);
    const ledger = createLedgerActivities(deps);
    await run(ledger.raiseFence, { dataset: spec.dataset, epoch: 1 });
    const context = activityContext();
    const heartbeats: unknown[] = [];
    context.on('heartbeat', (details) => heartbeats.push(details));

    await run(ledger.dedupChunks, { cycle: night, spec, fromChunk: 0, toChunk: 2, epoch: 1 }, context);

    expect(heartbeats).toContainEqual(expect.objectContaining({ chunk: 1, toChunk: 2, step: 'commit', counts: expect.objectContaining({ read: 5, stored: 5 }) as unknown }));
    expect(heartbeats.at(-1)).toMatchObject({ counts: { read: 10, stored: 5, duplicates: 5 } });
  });

  test.each(['GetObjectCommand', 'PutItemCommand', 'PutObjectCommand', 'TransactWriteItemsCommand'])(
    'a cancellation during %s ends it, and leaves no scratch files',
    async (command) => {
      await putRaw(deps, rawKey(HOUR, 'a'), lines(positions(100)));
      await prepared();
      const context = activityContext();
      const cancelling = { before: ({ name }: { name: string }) => void (name === command && context.cancel()) };
      const ledger = createLedgerActivities({ ...deps, s3: wrapped(deps.s3, cancelling), dynamodb: wrapped(deps.dynamodb, cancelling) });

      await expect(run(ledger.dedupChunks, { cycle: night, spec: SPEC, fromChunk: 0, toChunk: 1, epoch: 1 }, context)).rejects.toThrow();

      expect(await readdir(join(deps.workDir, 'chunks')).catch(() => [])).toEqual([]);
      expect((await dedup(deps)).counts).toMatchObject({ stored: 100 });
    },
  );

  test('a chunk that the manifest does not have is an error that says so', async () => {
    await prepared();
    await expect(dedup(deps, { toChunk: 1 })).rejects.toThrow('its manifest has 0');
    await expect(dedup(deps, { cycle: nightEnding('2019-01-01') })).rejects.toThrow('discover the cycle');
  });
});

describe('pinned versions', () => {
  test('an object that is overwritten after discovery is read as it was discovered', async () => {
    await putRaw(deps, rawKey(HOUR, 'a'), lines([position(1)]));
    await prepared();
    await putRaw(deps, rawKey(HOUR, 'a'), lines(positions(9)));
    expect((await dedup(deps)).counts).toMatchObject({ read: 1, stored: 1 });
  });

  test('a version that is gone ends the cycle by name', async () => {
    const VersionId = await putRaw(deps, rawKey(HOUR, 'a'), lines([position(1)]));
    await prepared();
    await deps.s3.send(new DeleteObjectCommand({ Bucket: deps.buckets.raw, Key: rawKey(HOUR, 'a'), VersionId }));
    await expect(dedup(deps)).rejects.toMatchObject({ type: FailureType.ObjectVanished, nonRetryable: true });
  });
});

describe('cost', () => {
  const RECORDS = 60_000;

  test('a million new records cost at most 20,000 write units and a thousandth of the requests (X12, S2.16)', async () => {
    for (let object = 0; object < 4; object++) {
      await putRaw(deps, rawKey(HOUR, `a${object}`), lines(positions(RECORDS / 4, (object * RECORDS) / 4)));
    }
    await putRaw(deps, rawKey('2018-08-02T01', 'b'), lines(positions(RECORDS / 4)));
    const fingerprints = new Map<string, Uint8Array[]>(); // by event date and attempt
    const metered = wrapped(deps.dynamodb, {
      before: ({ name, input }) => {
        const item = input.Item as Record<string, AttributeValue> | undefined;
        if (name !== 'PutItemCommand' || item?.fingerprints?.B === undefined) return;
        const date = item.pk?.S?.split('#').slice(0, -1).join('#') ?? ''; // without the segment's number
        fingerprints.set(date, [...(fingerprints.get(date) ?? []), item.fingerprints.B]);
      },
    });

    const { counts, capacity } = await runNight({ ...deps, dynamodb: metered }, night);

    const millions = counts.stored / 1e6;
    expect(counts.stored).toBe(RECORDS);
    const bytesPut = [...fingerprints.values()].flat().reduce((sum, bytes) => sum + bytes.length, 0);
    expect(bytesPut).toBe(RECORDS * 16);
    for (const segments of fingerprints.values()) {
      const all = segments.sort((a, b) => Buffer.compare(a, b)).map((bytes) => Buffer.from(bytes).toString('hex')).join('').match(/.{32}/g) ?? [];
      expect(all).toEqual([...new Set(all)].sort()); // each once, ascending from segment to segment
    }
    expect(capacity.writeUnits).toBeGreaterThanOrEqual(bytesPut / 1024); // the emulator does charge for the bytes
    expect(capacity.writeUnits / millions).toBeLessThanOrEqual(20_000);
    expect(capacity.requests / millions).toBeLessThanOrEqual(1_000);

  });

  test('a warm worker reads no segment again, a cold one each once (design section 5)', async () => {
    await putRaw(deps, rawKey(HOUR, 'a'), lines(positions(RECORDS)));
    await runNight(deps, night);
    await run(createBatchActivities(deps).markObjects, { cycle: night, spec: SPEC, state: 'loaded' });
    await putRaw(deps, rawKey('2018-08-02T01', 'b'), lines(positions(100)));
    const { watched, segmentsRead } = watchedReads();

    const warm = await runNight({ ...deps, dynamodb: watched }, nightEnding('2018-08-03'));
    expect(warm.counts).toMatchObject({ read: 100, stored: 0 });
    expect(segmentsRead()).toBe(0);

    await rm(join(deps.workDir, 'segments'), { recursive: true });
    const cold = await runNight({ ...deps, dynamodb: watched }, nightEnding('2018-08-03', 2));
    expect(cold.counts).toMatchObject({ read: 100, stored: 0 });
    expect(segmentsRead()).toBe(Math.ceil(RECORDS / 22_384));
  });
});

/** Discovers the night and raises the fence to 1. */
async function prepared(): Promise<void> {
  await discover(deps, night);
  await run(createLedgerActivities(deps).raiseFence, { dataset: SPEC.dataset, epoch: 1 });
}
