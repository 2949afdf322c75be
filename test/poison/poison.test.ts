import { QUARANTINE_REASONS } from '../../domain/documents';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { type Deps, type LedgerStack, startLedgerStack } from '../dedup/support/ledger-stack';
import { nightEnding, putRaw, rawKey, runNight } from '../dedup/support/nights';
import { parquetOf } from '../dedup/support/parquet';
import { JSON_FAMILIES, PARQUET_FAMILIES } from './corpus';
import { allStored, HOUR, LIMITS, object, POISON_SPEC, type PoisonEntry, sound } from './corpus/entry';
import { type Observed, observe } from './observe';

const PARQUET_SPEC: PipelineSpec = { ...POISON_SPEC, raw: { ...POISON_SPEC.raw, format: 'parquet' } };
const night = nightEnding('2018-08-02', 1, POISON_SPEC);
/** Poison objects between two good neighbours. */
const NEIGHBOUR_EVERY = 4;
const PUTS_AT_ONCE = 16;

/** Some 20 s each on a quiet machine. */
jest.setTimeout(180_000);

let stack: LedgerStack;
beforeAll(async () => {
  stack = await startLedgerStack();
});
afterAll(() => stack.stop());

test('the corpus has at least 300 entries, each of its own name', () => {
  const names = entriesOf({ ...JSON_FAMILIES, ...PARQUET_FAMILIES }).map(({ name }) => name);

  expect(names.length).toBeGreaterThanOrEqual(300);
  expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
});

test('the corpus has every reason of the dedup', () => {
  const reasons = entriesOf({ ...JSON_FAMILIES, ...PARQUET_FAMILIES }).flatMap(({ expected }) =>
    expected === 'undiscovered' ? [] : Object.keys(expected.quarantined),
  );

  expect([...new Set(reasons)].sort()).toEqual(QUARANTINE_REASONS.filter((reason) => reason !== 'invalid_geometry').sort());
});

test('JSON lines: each poisoned object has its expected fate, and every neighbour is stored (S1.14, S1.15, S2.36, I1, X6)', async () => {
  const neighbour = (index: number) => Promise.resolve(object(`neighbour ${index}`, `${sound()}\n${sound()}\n`, allStored(2)));

  const faults = await faultsOf(await stack.fresh(), POISON_SPEC, entriesOf(JSON_FAMILIES), neighbour);

  expect(faults).toEqual([]);
});

test('Parquet: each poisoned object has its expected fate, and every neighbour is stored (S1.14, S2.36, I1, X6)', async () => {
  const neighbour = async (index: number) => {
    const body = await parquetOf(`select ${Date.parse(`${HOUR}:30:00Z`)}::bigint as timestamp, ${index}::double as longitude, 3::double as latitude`);
    return object(`neighbour ${index}`, body, allStored(1));
  };

  const faults = await faultsOf(await stack.fresh(), PARQUET_SPEC, entriesOf(PARQUET_FAMILIES), neighbour);

  expect(faults).toEqual([]);
});

function entriesOf(families: Readonly<Record<string, readonly PoisonEntry[]>>): readonly PoisonEntry[] {
  return Object.values(families).flat();
}

/** Puts entries and neighbours, runs the night, and says by name what is not as expected. */
async function faultsOf(
  deps: Deps,
  spec: PipelineSpec,
  entries: readonly PoisonEntry[],
  neighbour: (index: number) => Promise<PoisonEntry>,
): Promise<readonly string[]> {
  const placed: { readonly entry: PoisonEntry; readonly key: string }[] = [];
  for (const [index, entry] of entries.entries()) {
    placed.push({ entry, key: keyOf(spec, entry, index) });
    if (index % NEIGHBOUR_EVERY !== 0) continue;
    placed.push({ entry: await neighbour(index / NEIGHBOUR_EVERY), key: rawKey(HOUR, `poison-${paddedIndex(index)}-neighbour`, spec) });
  }
  for (let from = 0; from < placed.length; from += PUTS_AT_ONCE) {
    await Promise.all(
      placed.slice(from, from + PUTS_AT_ONCE).map(async ({ entry: { body }, key }) => {
        await putRaw(deps, key, Buffer.isBuffer(body) ? body : await body());
      }),
    );
  }

  const { counts } = await runNight({ ...deps, rawLimits: LIMITS }, night, { spec });

  const observed = await observe(deps, spec);
  const faults = placed.flatMap(({ entry, key }) => faultsOfEntry(entry, key, observed));
  const sum = [...observed.counts.values()].reduce((total, each) => total + each.read, 0);
  return sum === counts.read ? faults : [...faults, `the objects' records add up to ${sum}, the night's to ${counts.read}`];
}

function keyOf(spec: PipelineSpec, { key }: PoisonEntry, index: number): string {
  if (key?.startsWith('key:') === true) return key.slice('key:'.length);
  return rawKey(HOUR, `poison-${paddedIndex(index)}${key ?? ''}`, spec);
}

function paddedIndex(index: number): string {
  return String(index).padStart(4, '0');
}

function faultsOfEntry({ name, expected }: PoisonEntry, key: string, { counts, quarantined, stored }: Observed): readonly string[] {
  const found = counts.get(key);
  if (expected === 'undiscovered') return found === undefined ? [] : [`${name}: was discovered`];
  if (found === undefined) return [`${name}: was not discovered`];
  const rows = quarantined.get(key) ?? [];
  const lines = rows.map(({ line }) => line).sort((a, b) => a - b);
  const reasons: Record<string, number> = {};
  for (const { reason } of rows) reasons[reason] = (reasons[reason] ?? 0) + 1;
  const values = expected.row === undefined ? undefined : stored.get(key)?.get(expected.row.line);
  const faults = [
    differs('counts', found, {
      read: expected.read,
      stored: expected.stored,
      duplicates: expected.duplicates ?? 0,
      quarantined: expected.quarantined,
    }),
    differs('records in storage', stored.get(key)?.size ?? 0, expected.stored),
    differs('reasons in quarantine', reasons, expected.quarantined),
    expected.lines === undefined ? undefined : differs('lines in quarantine', lines, expected.lines),
    rows.every(({ detail, version }) => detail.length > 0 && version.length > 0) ? undefined : 'a line in quarantine has no detail or no version',
    ...Object.entries(expected.row?.values ?? {}).map(([column, value]) => differs(column, values?.[column as keyof typeof values], value)),
  ];
  const details = rows.slice(0, 2).map(({ detail }) => detail).join('; ');
  return faults.flatMap((fault) => (fault === undefined ? [] : [`${name}: ${fault}${details === '' ? '' : ` [${details}]`}`]));
}

/** Zero and minus zero are one value here, as they are one key. */
function differs(what: string, found: unknown, expected: unknown): string | undefined {
  const [foundText, expectedText] = [inOrder(found), inOrder(expected)];
  return foundText === expectedText ? undefined : `${what}: expected ${expectedText}, found ${foundText}`;
}

/** JSON with the members of objects by name. */
function inOrder(value: unknown): string {
  if (value === undefined) return 'nothing';
  return JSON.stringify(value, (_key, each: unknown) => (isPlain(each) ? Object.fromEntries(Object.entries(each).sort()) : each));
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
