import { Readable } from 'node:stream';
import { DeleteObjectCommand, PutBucketVersioningCommand } from '@aws-sdk/client-s3';
import { createBatchActivities } from '../../activities/batches';
import { ChunkLookup, manifestPointer, partsOf, readManifest } from '../../activities/batches/manifest';
import type { BatchManifest, ManifestPart, RawObject } from '../../domain/documents';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { type Deps, type LedgerStack, startLedgerStack } from './support/ledger-stack';
import { discover, keysIn, lines, nightEnding, putRaw, rawKey, run, runNight, SPEC } from './support/nights';
import { wrapped } from './support/wrapped-client';

let stack: LedgerStack;
let deps: Deps;
const NEVER = new AbortController().signal;
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

describe('a manifest in parts (S2.2)', () => {
  /** Every object is a chunk of its own, so that parts are as small as they may be. */
  const small: PipelineSpec = { ...SPEC, dedup: { ...SPEC.dedup, chunkBytes: 1 } };
  const inParts = () => ({ ...deps, manifestPartObjects: 3 });
  const partKeys = async () => (await keysIn(deps, 'artifacts', 'cycles/')).filter((key) => key.includes('/manifest/'));
  const objectsOf = async (manifest: BatchManifest) => Readable.from(partsOf(deps.s3, deps.buckets.artifacts, manifest, NEVER)).flatMap(({ objects }: ManifestPart) => [...objects]).toArray() as Promise<RawObject[]>;
  const put = async (from: number, to: number) => {
    for (let index = from; index < to; index++) await putRaw(deps, rawKey(`2018-08-01T${String(index % 24).padStart(2, '0')}`, `o${String(index).padStart(3, '0')}`), body);
  };

  test('says the same as one that is whole, is found chunk by chunk, and marks every object', async () => {
    await put(0, 60);

    const found = await discover(inParts(), night, small);

    expect(found).toMatchObject({ objectCount: 60, sizeBytes: 60 * body.length, chunkCount: 60 });
    const manifest = await manifestOf();
    expect(manifest.parts?.map(({ key }) => key)).toEqual(await partKeys());
    expect(manifest.parts?.length).toBeGreaterThan(10);
    const all = await objectsOf(manifest);
    await discover(deps, nightEnding('2018-08-02', 2), small);
    expect(all).toEqual((await manifestOf(nightEnding('2018-08-02', 2))).objects);
    const lookup = await ChunkLookup.open(deps.s3, deps.buckets.artifacts, night, NEVER);
    for (const chunk of [59, 0, 31, 30, 32]) expect(await lookup.requiredObjectsOf(chunk)).toEqual([all[chunk]]);
    await expect(lookup.requiredObjectsOf(60)).rejects.toThrow('its manifest has 60');

    expect(await run(createBatchActivities(deps).markObjects, { cycle: night, spec: small, state: 'loaded' })).toEqual({ marked: 60 });
    expect(await discover(deps, nightEnding('2018-08-03'), small)).toMatchObject({ objectCount: 0 });
  });

  test('an attempt that died leaves parts that a retry goes on behind: it lists nothing twice, and every object is there once', async () => {
    await put(0, 60);
    let puts = 0;
    const dying = { ...inParts(), s3: wrapped(deps.s3, { before: ({ name }) => void (name === 'PutObjectCommand' && puts++ === 9 && fail()) }) };
    await expect(discover(dying, night, small)).rejects.toThrow(DIED);
    const written = await partKeys();
    expect(written).toHaveLength(9);
    const listed: string[] = [];
    const watched = { ...inParts(), s3: wrapped(deps.s3, { before: ({ name, input }) => void (name === 'ListObjectVersionsCommand' && listed.push(`${String(input.Prefix)} ${typeof input.KeyMarker}`)) }) };

    expect(await discover(watched, night, small)).toMatchObject({ objectCount: 60, chunkCount: 60 });

    const manifest = await manifestOf();
    expect((await objectsOf(manifest)).map(({ key }) => key.slice(-4))).toEqual([...Array(60).keys()].sort((a, b) => (a % 24) - (b % 24) || a - b).map((index) => `o${String(index).padStart(3, '0')}`));
    // From its first part on, which was there already, it went on behind the last: the hours before that were not listed again.
    expect(listed.filter((each) => each.endsWith('string'))).toHaveLength(1);
    expect(manifest.parts?.slice(0, 9).map(({ key }) => key)).toEqual(written);
  });

  test('attempts at once, some of which lose answers, agree on one manifest that has every object once', async () => {
    await put(0, 40);
    let calls = 0;
    const losing = { ...inParts(), s3: wrapped(deps.s3, { after: ({ name }) => void (name === 'PutObjectCommand' && calls++ % 3 === 0 && fail()) }) };
    const attempts = await Promise.allSettled([discover(inParts(), night, small), discover(losing, night, small), discover(inParts(), night, small)]);

    const results = [...attempts.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : [])), await discover(losing, night, small).catch(() => discover(inParts(), night, small))];
    expect(new Set(results.map((result) => JSON.stringify(result))).size).toBe(1);
    const keys = (await objectsOf(await manifestOf())).map(({ key }) => key);
    expect([keys.length, new Set(keys).size]).toEqual([40, 40]);
  });

  test('a part that is gone is named, and fails for good', async () => {
    await put(0, 10);
    await discover(inParts(), night, small);
    const [first = ''] = await partKeys();
    await deps.s3.send(new DeleteObjectCommand({ Bucket: deps.buckets.artifacts, Key: first }));
    await expect(objectsOf(await manifestOf())).rejects.toMatchObject({ type: 'ObjectVanished', nonRetryable: true, message: expect.stringContaining(first) as string });
  });
});

const DIED = new Error('the process died here');
function fail(): never {
  throw DIED;
}
