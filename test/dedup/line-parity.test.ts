import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import type { RawLimits } from '../../activities/ledger/line-splitter';
import { parquetRows } from '../../activities/ledger/parquet-rows';
import { RawLineFile } from '../../activities/ledger/raw-lines';
import { isGzip } from '../../activities/ledger/chunk-input';
import type { FieldSpec } from '../../domain/pipeline-spec';
import { JSON_FAMILIES, PARQUET_FAMILIES } from '../poison/corpus';
import { LIMITS, POISON_SPEC } from '../poison/corpus/entry';
import { type LineCase, pythonLineFiles } from './support/python-lines';

/** Both engines' readers of lines, over the same objects, must write the same file: all that follows is the same SQL. */
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'meridian-lines-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

interface RawBody {
  readonly key: string;
  readonly body: Buffer;
}

async function placed(name: string, bodies: readonly RawBody[]): Promise<LineCase> {
  const folder = join(dir, name);
  await mkdir(folder, { recursive: true });
  const objects: { readonly key: string; readonly path: string }[] = [];
  for (const [index, { key, body }] of bodies.entries()) {
    const path = join(folder, String(index));
    await writeFile(path, body);
    objects.push({ key, path });
  }
  return { objects, to: join(folder, 'by-python') };
}

async function nodeLineFile({ objects, to }: LineCase, limits: RawLimits, fields?: readonly FieldSpec[]): Promise<readonly number[]> {
  const file = await RawLineFile.create(`${to}-or-node`, limits);
  const counts: number[] = [];
  const { signal } = new AbortController();
  for (const [index, { key, path }] of objects.entries()) {
    const rows = fields === undefined ? undefined : parquetRows(path, fields, { memoryMb: 512, spillDir: `${to}-spill`, limits, signal });
    counts.push(await (rows === undefined ? file.addLines(index, path, await isGzip(key, path), signal) : file.addRows(index, rows, signal)));
  }
  await file.close();
  return counts;
}

/** @returns the cases whose files or counts differ, each with both */
async function differences(cases: readonly LineCase[], limits: RawLimits, fields?: readonly FieldSpec[]): Promise<readonly string[]> {
  const found: string[] = [];
  const byPython = await pythonLineFiles(cases, limits, fields);
  for (const [index, each] of cases.entries()) {
    const counts = await nodeLineFile(each, limits, fields);
    const [python, node] = [shown(await readFile(each.to)), shown(await readFile(`${each.to}-or-node`))];
    if (python !== node || JSON.stringify(byPython[index]) !== JSON.stringify(counts)) {
      found.push(`${each.objects.map(({ key }) => key).join(', ')}: ${python.slice(0, SHOWN)} ${JSON.stringify(byPython[index])}, expected ${node.slice(0, SHOWN)} ${JSON.stringify(counts)}`);
    }
  }
  return found;
}

const SHOWN = 400;

/** Without how much memory was in use when there was none left: that differs by itself. */
function shown(file: Buffer): string {
  return JSON.stringify(file.toString('latin1').replace(/\(\S+ MiB\/(\S+) MiB used\)/g, '(of $1 MiB)'));
}

test('the rows of every poisoned object of Parquet are the same for both engines (S1.14, I1, docs/decisions/0011)', async () => {
  const cases: LineCase[] = [];
  for (const [index, { name, body }] of Object.values(PARQUET_FAMILIES).flat().entries()) {
    const bytes = Buffer.isBuffer(body) ? body : await body();
    if (bytes.length > 0) cases.push(await placed(`parquet-${index}`, [{ key: name, body: bytes }])); // nobody opens an empty object
  }

  expect(cases.length).toBeGreaterThan(50);
  expect(await differences(cases, LIMITS, POISON_SPEC.record.fields)).toEqual([]);
}, 180_000);

test('the lines of every poisoned object are the same for both engines (S1.14, I1)', async () => {
  const entries = Object.values(JSON_FAMILIES).flat();
  const cases: LineCase[] = [];
  for (const [index, { name, key, body }] of entries.entries()) {
    cases.push(await placed(`poison-${index}`, [{ key: `${name}${key ?? ''}`, body: Buffer.isBuffer(body) ? body : await body() }]));
  }

  expect(cases.length).toBeGreaterThan(300);
  expect(await differences(cases, LIMITS)).toEqual([]);
}, 180_000);

/** Bytes that splitters, decoders and JSON readers trip over. */
const piece = fc.oneof(
  fc.constantFrom('\n', '\r', '\r\n', '\n\n', ' ', '\t', '{', '}', '[', ']', ',', ':', '"', '\\', '\\u0000', '\u001f', '\0', '\u00e9', '\ud83d\ude80', '\ufeff', 'NaN', '-', '1e5', 'true', '{"a":1}', '{"a":\r1}', '[1,\r2]', '"\r"').map((text) => Buffer.from(text)),
  fc.uint8Array({ minLength: 1, maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
  fc.string({ maxLength: 8 }).map((text) => Buffer.from(text)),
);
const text = fc.array(piece, { maxLength: 40 }).map((pieces) => Buffer.concat(pieces));
const damage = fc.record({ at: fc.nat(), kind: fc.constantFrom('none', 'none', 'cut', 'flip', 'zeros', 'garbage', 'second', 'second after zeros') });
const body = fc.record({ text, gzipped: fc.boolean(), damage, repeats: fc.constantFrom(1, 1, 1, 20_000) }).map(({ text: plain, gzipped, damage: { at, kind }, repeats }): RawBody => {
  const whole = repeats === 1 ? plain : Buffer.concat(Array.from({ length: Math.ceil(300_000 / (plain.length + 1)) }, () => plain));
  if (!gzipped) return { key: 'plain.jsonl', body: whole };
  const packed = gzipSync(whole);
  const second = gzipSync(plain);
  const bodies = {
    none: packed,
    cut: packed.subarray(0, at % packed.length),
    flip: Buffer.concat([packed.subarray(0, at % packed.length), Buffer.from([packed.readUInt8(at % packed.length) ^ 0x10]), packed.subarray((at % packed.length) + 1)]),
    zeros: Buffer.concat([packed, Buffer.alloc(at % 5)]),
    garbage: Buffer.concat([packed, Buffer.alloc(at % 3), Buffer.from('x')]),
    second: Buffer.concat([packed, second]),
    'second after zeros': Buffer.concat([packed, Buffer.alloc(2), second]),
  };
  return { key: at % 2 === 0 ? 'packed.gz' : 'packed', body: bodies[kind] };
});

test('the lines of any bytes, gzipped or not, cut or altered, are the same for both engines (I1, docs/decisions/0010, 0012)', async () => {
  // One process of Python for all: its start costs more than a case.
  const bodies = fc.sample(fc.array(body, { minLength: 1, maxLength: 3 }), { numRuns: Number(process.env.MERIDIAN_PROPERTY_RUNS ?? 400), seed: 31 });
  const cases: LineCase[] = [];
  for (const [index, each] of bodies.entries()) cases.push(await placed(`any-${index}`, each));

  expect(await differences(cases, { maxLineBytes: 24, maxObjectBytes: 1024 ** 2 })).toEqual([]);
  expect(await differences(cases, { maxLineBytes: 70_000, maxObjectBytes: 600_000 })).toEqual([]);
}, 180_000);
