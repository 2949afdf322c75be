import { DeleteObjectCommand, PutBucketVersioningCommand } from '@aws-sdk/client-s3';
import { createBatchActivities } from '../../activities/batches';
import { manifestPointer, readManifest } from '../../activities/batches/manifest';
import type { BatchManifest } from '../../domain/documents';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { type Deps, type LedgerStack, startLedgerStack } from './support/ledger-stack';
import { discover, lines, nightEnding, putRaw, rawKey, run, runNight, SPEC } from './support/nights';
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
const body = lines([{ timestamp: Date.parse('2018-08-01T12:00:00Z'), longitude: 8, latitude: 47 }]);

async function manifestOf(cycle = night): Promise<BatchManifest> {
  const manifest = await readManifest(deps.s3, manifestPointer(deps.buckets.artifacts, cycle), new AbortController().signal);
  if (manifest === undefined) throw new Error('no manifest was written');
  return manifest;
}

const ODD_NAMES = ['a b.json.gz', 'a%2Fb.json.gz', 'a+b.json.gz', 'a\nb.json.gz', '--conf spark.x=y', 'ünï/😀.json.gz', "q'\"<&>`$(id).gz", 'x?y#z', '🚀', 'ﬀ'];

test('keys with any legal character are pinned as they are, in byte order (bad input of issue 3)', async () => {
  const versions = new Map<string, string>();
  for (const name of ODD_NAMES) versions.set(rawKey('2018-08-01T13', name), await putRaw(deps, rawKey('2018-08-01T13', name), body));

  const found = await discover(deps, night);

  const { objects } = await manifestOf();
  expect(found).toMatchObject({ objectCount: ODD_NAMES.length, sizeBytes: ODD_NAMES.length * body.length, chunkCount: 1 });
  expect(objects.map((object) => object.key)).toEqual([...versions.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
  for (const object of objects) {
    expect(object).toMatchObject({ versionId: versions.get(object.key), sizeBytes: body.length, arrivalHour: '2018-08-01T13:00:00Z' });
  }
});

test('the interval and the lateness before it are taken; later, too early and misplaced keys are not (S2.11, S2.3)', async () => {
  const taken = ['2018-07-29T00', '2018-07-31T23', '2018-08-01T00', '2018-08-01T23'];
  for (const hour of [...taken, '2018-07-28T23', '2018-08-02T00']) await putRaw(deps, rawKey(hour, 'x.json.gz'), body);
  for (const stray of ['notes.txt', '2018/08/01/x.json.gz', '2018/08/01/1/x.json.gz']) await putRaw(deps, `${SPEC.raw.prefix}${stray}`, body);

  await discover(deps, night);

  const { objects } = await manifestOf();
  expect(objects.map((object) => object.arrivalHour)).toEqual(taken.map((hour) => `${hour}:00:00Z`));
});

test('an object that was overwritten is its current version once; a deleted one is not there', async () => {
  await putRaw(deps, rawKey('2018-08-01T13', 'a'), 'old');
  const current = await putRaw(deps, rawKey('2018-08-01T13', 'a'), body);
  await putRaw(deps, rawKey('2018-08-01T13', 'gone'), body);
  await deps.s3.send(new DeleteObjectCommand({ Bucket: deps.buckets.raw, Key: rawKey('2018-08-01T13', 'gone') }));

  await discover(deps, night);

  const { objects } = await manifestOf();
  expect(objects.map(({ key, versionId }) => [key, versionId])).toEqual([[rawKey('2018-08-01T13', 'a'), current]]);
});

test('retries return the manifest that was written first, though more has arrived since', async () => {
  await putRaw(deps, rawKey('2018-08-01T13', 'a'), body);
  const first = await discover(deps, night);
  await putRaw(deps, rawKey('2018-08-01T14', 'b'), body);

  expect(await discover(deps, night)).toEqual(first);
  expect((await manifestOf()).objects).toHaveLength(1);
  expect(await discover(deps, nightEnding('2018-08-02', 2))).toMatchObject({ objectCount: 2 });
});

test('two attempts at once agree on one manifest', async () => {
  for (let index = 0; index < 20; index++) await putRaw(deps, rawKey('2018-08-01T13', `a${index}`), body);
  const results = await Promise.all([discover(deps, night), discover(deps, night), discover(deps, night)]);
  expect(new Set(results.map((result) => JSON.stringify(result))).size).toBe(1);
});

test.each(['loaded', 'set-aside'] as const)('a version that is %s is not taken again; a new version of its key is', async (state) => {
  const marked = 60; // more than one BatchWriteItem
  for (let index = 0; index < marked; index++) await putRaw(deps, rawKey('2018-08-01T13', `a${index}`), body);
  await discover(deps, night);
  const batches = createBatchActivities(deps);

  expect(await run(batches.markObjects, { cycle: night, spec: SPEC, state, verdict: 'x'.repeat(2_000) })).toEqual({ marked });
  expect(await run(batches.markObjects, { cycle: night, spec: SPEC, state })).toEqual({ marked });

  const version = await putRaw(deps, rawKey('2018-08-01T13', 'a7'), lines([]));
  await discover(deps, nightEnding('2018-08-03'));
  expect((await manifestOf(nightEnding('2018-08-03'))).objects.map((object) => object.versionId)).toEqual([version]);
});

test('an object that came late is taken by the first cycle that finds it within the lateness', async () => {
  await runNight(deps, night);
  await putRaw(deps, rawKey('2018-08-01T13', 'late'), body);
  expect(await discover(deps, nightEnding('2018-08-04'))).toMatchObject({ objectCount: 1 });
  expect(await discover(deps, nightEnding('2018-08-06'))).toMatchObject({ objectCount: 0 });
});

test('nothing found is a manifest too, and marks nothing; neither does a cycle that never discovered', async () => {
  expect(await discover(deps, night)).toMatchObject({ objectCount: 0, sizeBytes: 0, chunkCount: 0 });
  const batches = createBatchActivities(deps);
  for (const cycle of [night, nightEnding('2018-08-09')]) {
    expect(await run(batches.markObjects, { cycle, spec: SPEC, state: 'loaded' })).toEqual({ marked: 0 });
  }
});

test('a listing of several pages is whole, wherever a page ends', async () => {
  for (const name of ODD_NAMES) await putRaw(deps, rawKey('2018-08-01T13', name), body);
  await putRaw(deps, rawKey('2018-08-01T13', 'a b.json.gz'), body); // a key with two versions
  for (const pageSize of [1, 2, 3, 7]) {
    const paged = { ...deps, s3: wrapped(deps.s3, { before: ({ name, input }) => void (name.startsWith('List') && (input.MaxKeys = pageSize)) }) };
    expect(await discover(paged, nightEnding('2018-08-02', pageSize))).toMatchObject({ objectCount: ODD_NAMES.length });
  }
});

test('an unversioned bucket works: its version is "null", held to the ETag', async () => {
  await deps.s3.send(new PutBucketVersioningCommand({ Bucket: deps.buckets.raw, VersioningConfiguration: { Status: 'Suspended' } }));
  await putRaw(deps, rawKey('2018-08-01T13', 'a'), body);
  expect(await runNight(deps, night)).toMatchObject({ counts: { read: 1, stored: 1 } });
});

test('chunks hold at least the declared bytes, the remainder goes to the last, and no chunk touches more than 90 dates', async () => {
  const spec: PipelineSpec = { ...SPEC, dedup: { ...SPEC.dedup, chunkBytes: 3 * body.length, latenessDays: 42 } };
  for (let index = 0; index < 8; index++) await putRaw(deps, rawKey('2018-08-01T13', `a${index}`), body);
  await discover(deps, night, spec);
  expect((await manifestOf()).chunks).toEqual([{ from: 0, to: 3 }, { from: 3, to: 8 }]);

  // With 42 days of lateness one arrival day can hold 45 event dates: objects 40 days apart must not share a chunk... of one.
  const wide: PipelineSpec = { ...spec, dedup: { ...spec.dedup, chunkBytes: 1024 ** 2, latenessDays: 60 } };
  await putRaw(deps, rawKey('2018-06-05T13', 'early'), body);
  await discover(deps, nightEnding('2018-08-02', 2), wide);
  expect((await manifestOf(nightEnding('2018-08-02', 2))).chunks).toEqual([{ from: 0, to: 1 }, { from: 1, to: 9 }]);
});
