import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { ChunkDatabase } from '../../activities/ledger/chunk-database';
import { countJudged, countRecords } from '../../activities/ledger/chunk-counts';
import { writeQuarantineFile, writeStorageFiles } from '../../activities/ledger/chunk-files';
import { loadRecords } from '../../activities/ledger/chunk-input';
import { RAW_LIMITS } from '../../activities/ledger/line-splitter';
import { RawLineFile } from '../../activities/ledger/raw-lines';
import { keepUnseen } from '../../activities/ledger/seen';
import type { CycleRef } from '../../domain/cycle';
import type { RawObject } from '../../domain/documents';
import type { FieldType, PipelineSpec } from '../../domain/pipeline-spec';
import { validatePipeline } from '../../domain/validate-pipeline';
import { mobileGeolocation } from '../../pipelines/mobile-geolocation';

const SPEC: PipelineSpec = mobileGeolocation;
const HOUR = '2018-08-01T13:00:00Z';
const T = Date.parse(HOUR);
const CYCLE: CycleRef = {
  pipeline: SPEC.name,
  dataset: SPEC.dataset,
  intervalStart: '2018-08-01T00:00:00Z',
  intervalEnd: '2018-08-02T00:00:00Z',
  generation: 1,
};
const signal = new AbortController().signal;
jest.setTimeout(180_000);

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'meridian-properties-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const objectNamed = (key: string): RawObject => ({ key, versionId: 'v', etag: '"e"', sizeBytes: 1, arrivalHour: HOUR });

/** The product's own way from objects to judged records, then whatever a test wants of them and of the counts before judging. */
async function withRecords<T>(
  spec: PipelineSpec,
  objects: readonly { readonly key: string; readonly content: string | Buffer }[],
  look: (db: ChunkDatabase, read: readonly number[]) => Promise<T>,
): Promise<T> {
  const scratch = await mkdtemp(join(dir, 'run-'));
  const lineFile = join(scratch, 'lines');
  const lines = await RawLineFile.create(lineFile, RAW_LIMITS);
  const read: number[] = [];
  for (const [index, { content }] of objects.entries()) {
    await writeFile(join(scratch, 'raw'), content);
    read.push(await lines.addLines(index, join(scratch, 'raw'), false, signal));
  }
  await lines.close();
  const db = await ChunkDatabase.open({ spillDir: join(scratch, 'spill'), memoryMb: 256, signal });
  try {
    await loadRecords(db, spec, objects.map(({ key }) => objectNamed(key)), lineFile, RAW_LIMITS);
    return await look(db, read);
  } finally {
    db.close();
  }
}

test('keys of any characters come through manifest, SQL, storage and quarantine as they are (S1.15)', async () => {
  const key = fc.oneof(
    fc.string({ unit: 'binary', minLength: 1 }),
    fc.string({ unit: 'grapheme', minLength: 1 }),
    fc.constantFrom("'; drop table record; --", '"', '\\', '$1', '%', "''", '\n', '\x1f', '../x'),
  );
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(key, { minLength: 1, maxLength: 30 }), async (keys) => {
      const manifest = JSON.parse(JSON.stringify({ objects: keys.map(objectNamed) })) as { readonly objects: readonly RawObject[] };
      const objects = manifest.objects.map((object, index) => ({
        key: object.key,
        content: `{"timestamp":${T},"longitude":${index},"latitude":1}\nbad\n`,
      }));

      await withRecords(SPEC, objects, async (db, read) => {
        await keepUnseen(db, []);
        const { days } = await countRecords(db, objects.map(({ key }) => objectNamed(key)), { readCounts: read, judged: await countJudged(db, objects.length) });
        const [stored] = await writeStorageFiles(db, SPEC, CYCLE, dir, days, (eventDate) => eventDate);
        const quarantined = await writeQuarantineFile(db, dir, 'quarantine');
        const storedKeys = await db.rows(`select raw_object from read_parquet('${stored?.path}') order by longitude`);
        const quarantinedKeys = await db.rows(`select object from read_json('${quarantined.path}', columns = {'object': 'varchar'})`);

        expect(storedKeys.flat()).toEqual(keys);
        expect(quarantinedKeys.flat().sort()).toEqual([...keys].sort());
      });
    }),
    { numRuns: 20, endOnFailure: true },
  );
});

test('a source of any characters that a declaration may have finds its value, or the declaration is refused (S1.14)', async () => {
  const source = fc.oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }),
    fc.string({ minLength: 1, maxLength: 20 }),
    fc.constantFrom('~', '/', '~1', '~0', 'a/b', '$.a', '$', '*', '"', "'", '\\', '[0]', '0', '-', '.', ' ', '\n', '\ud800', '__proto__'),
  );
  await fc.assert(
    fc.asyncProperty(source, async (name) => {
      const fields = SPEC.record.fields.map((field) => (field.name === 'speed' ? { ...field, source: name } : field));
      const spec: PipelineSpec = { ...SPEC, record: { ...SPEC.record, fields } };
      if (SPEC.record.fields.some((field) => field.source === name) || validatePipeline(spec).length > 0) return;

      const text = JSON.stringify(Object.fromEntries([['timestamp', T], ['longitude', 1], ['latitude', 2], [name, 12.5]]));
      const rows = await withRecords(spec, [{ key: 'k', content: text }], (db) => db.rows('select _reason, speed from record'));

      expect(rows).toEqual([[null, 12.5]]);
    }),
    { numRuns: 40, endOnFailure: true, examples: [['\u0000'], ['a\u0000b'], ['\ud800']] },
  );
});

test('fields of any valid name are stored, whatever dedup\'s own tables and columns are called', async () => {
  const words = [
    'object', 'record', 'line', 'token', 'typed', 'judged', 'keep', 'from_ms', 'to_ms', 'select', 'from', 'order', 'table',
    'day', 'position', 'reason', 'raw', 'detail', 'value', 'text', 'fingerprint', 'filename', 'file_row_number', 'user', 'end',
  ];
  const fields = words.map((name) => ({ name, source: `s_${name}`, type: 'text' as const }));
  const spec: PipelineSpec = {
    ...SPEC,
    record: { ...SPEC.record, fields: [...SPEC.record.fields, ...fields] },
    dedup: { ...SPEC.dedup, key: [...SPEC.dedup.key, ...words] },
  };
  expect(validatePipeline(spec)).toEqual([]);
  const text = JSON.stringify({ timestamp: T, longitude: 1, latitude: 2, ...Object.fromEntries(words.map((name) => [`s_${name}`, name])) });

  const stored = await withRecords(spec, [{ key: 'k', content: `${text}\n${text}\nbad` }], async (db, readCounts) => {
    await keepUnseen(db, []);
    await writeQuarantineFile(db, dir, 'quarantine');
    const { days } = await countRecords(db, [objectNamed('k')], { readCounts, judged: await countJudged(db, 1) });
    const [file] = await writeStorageFiles(db, spec, CYCLE, dir, days, (eventDate) => eventDate);
    return db.rows(`select ${words.map((name) => `"${name}"`).join(', ')} from read_parquet('${file?.path}')`);
  });

  expect(stored).toEqual([words]);
});

/** Values of a key field as JSON tokens, with few enough of each that records agree in many ways. */
const TOKENS: Readonly<Record<FieldType, readonly string[]>> = {
  'timestamp-ms': ['null', '0', '1', '1533128400000'],
  double: ['null', '0', '-0.0', '1', '1.0', '1e0', '1.0000000000000002', '-1', '5e-324'],
  bigint: ['null', '0', '1', '-1', '256', '9223372036854775807', '-9223372036854775808'],
  text: ['null', '""', '"a"', '"ab"', '"b"', '"\\u0001"', '"\\u0000x"', '"é"', '"e\\u0301"', '"a\\u0001"', '"1"', '1'],
  boolean: ['null', 'true', 'false'],
};

function tokensOf(types: readonly FieldType[], index: number): readonly string[] {
  return TOKENS[types[index] ?? 'text'];
}

/** What makes two values the same, on its own account: by JavaScript's values, not by bytes. */
function sameAs(type: FieldType, token: string): unknown {
  const value = JSON.parse(token) as string | number | boolean | null;
  if (value === null) return null;
  if (type === 'bigint') return BigInt(token).toString();
  if (type === 'text') return String(value);
  return typeof value === 'number' ? value + 0 : value;
}

test('two records have one fingerprint when all fields of their keys are equal, and only then (I2)', async () => {
  const types: readonly FieldType[] = ['double', 'text', 'text', 'bigint', 'boolean', 'timestamp-ms'];
  const fields = types.map((type, index) => ({ name: `k${index}`, source: `k${index}`, type }));
  const spec: PipelineSpec = {
    ...SPEC,
    record: { ...SPEC.record, fields: [...SPEC.record.fields, ...fields] },
    dedup: { ...SPEC.dedup, key: [...SPEC.dedup.key, ...fields.map(({ name }) => name)] },
  };
  // Records near each other: the same but for two neighbouring fields, of which many spellings are equal.
  const base = types.map((type) => TOKENS[type][1] ?? 'null');
  const near = fc.nat(types.length - 2).chain((at) =>
    fc
      .tuple(fc.constantFrom(...tokensOf(types, at)), fc.constantFrom(...tokensOf(types, at + 1)))
      .map(([one, other]) => base.map((token, index) => (index === at ? one : index === at + 1 ? other : token))),
  );
  const record = fc.tuple(fc.nat(1), near);
  await fc.assert(
    fc.asyncProperty(fc.array(record, { minLength: 100, maxLength: 400 }), async (records) => {
      const text = records.map(([longitude, tokens]) => {
        const members = tokens.map((token, index) => `,"k${index}":${token}`);
        return `{"timestamp":${T},"longitude":${longitude},"latitude":1${members.join('')}}`;
      });
      const sql = 'select _line, _fingerprint::varchar from record where _reason is null';
      const rows = await withRecords(spec, [{ key: 'k', content: text.join('\n') }], (db) => db.rows(sql));

      const keys = new Map<string, string>();
      const fingerprints = new Map<string, string>();
      for (const [line, fingerprint] of rows) {
        const [longitude, tokens] = records[Number(line) - 1] ?? [0, []];
        const key = JSON.stringify([longitude, ...tokens.map((token, index) => sameAs(types[index] ?? 'text', token))]);
        const print = `${fingerprint as string}`;
        expect([keys.get(print) ?? key, fingerprints.get(key) ?? print]).toEqual([key, print]);
        keys.set(print, key);
        fingerprints.set(key, print);
      }
      expect(rows.length).toBeGreaterThan(50);
    }),
    { numRuns: 40, endOnFailure: true },
  );
});

test('whatever bytes an object is made of, its records add up: read = judged sound + quarantined (I1, X6)', async () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    fc.string({ unit: 'binary', maxLength: 40 }).map((text) => Buffer.from(text)),
    fc.json().map((text) => Buffer.from(text)),
    fc
      .constantFrom(`{"timestamp":${T},"longitude":1,"latitude":2}`, '\n', '\r\n', '\x1f', '\0', '{', '}', ',', '"', '{"timestamp":')
      .map((text) => Buffer.from(text)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(piece, { maxLength: 12 }), { minLength: 1, maxLength: 6 }), async (objects) => {
      const named = objects.map((pieces, index) => ({ key: `k${index}`, content: Buffer.concat(pieces) }));

      await withRecords(SPEC, named, async (db, read) => {
        const rows = await db.rows('select _object, count(*) from record group by _object');
        const counted = new Map(rows.map(([object, count]) => [Number(object), Number(count)]));
        const unjudged = await db.rows(
          'select count(*) from record where (_reason is null) = (_fingerprint is null) or (_reason is not null and _detail is null)',
        );

        expect(read.map((_count, index) => counted.get(index) ?? 0)).toEqual(read);
        expect(unjudged).toEqual([['0']]);
      });
    }),
    { numRuns: 40, endOnFailure: true },
  );
});
