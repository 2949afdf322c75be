import fc from 'fast-check';
import type { PipelineSpec, RelationSpec } from '../../domain/pipeline-spec';
import { validatePipeline } from '../../domain/validate-pipeline';
import { mobileGeolocation } from '../../pipelines/mobile-geolocation';

const SOUND: PipelineSpec = mobileGeolocation;
/** What PostgreSQL, DuckDB, Spark SQL and S3 keys take as it stands. */
const BARE = /^[a-z][a-z0-9_]*$/;
const BARE_PIPELINE = /^[a-z][a-z0-9-]*$/;

type Json = fc.JsonValue;
/** Paths of all members and elements of a value, in the form of keys. */
function pathsOf(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  const inner = typeof value === 'object' && value !== null ? Object.entries(value).flatMap(([key, each]) => pathsOf(each, [...path, key])) : [];
  return [path, ...inner];
}
const PATHS = pathsOf(SOUND);

/** A copy of the sound declaration with one place replaced, or removed where nothing is given. */
function withPlace([...path]: readonly string[], value: Json | undefined): PipelineSpec {
  const copy: unknown = JSON.parse(JSON.stringify({ spec: SOUND }));
  const last = ['spec', ...path].at(-1) ?? '';
  const parent = ['spec', ...path].slice(0, -1).reduce((at, key) => (at as Record<string, unknown>)[key], copy) as Record<string, unknown>;
  if (value === undefined && Array.isArray(parent)) parent.splice(Number(last), 1);
  else if (value === undefined) delete parent[last];
  else parent[last] = value;
  return (copy as { spec: PipelineSpec }).spec;
}

/** Every name that becomes part of SQL, a key or a path. */
function namesOf(spec: PipelineSpec): readonly string[] {
  const { record, dedup, transform } = spec;
  const ofRelation = ({ name, view, columns, key, indexes }: RelationSpec) => [
    ...[name, view, ...key],
    ...columns.map((column) => column.name),
    ...indexes.flatMap((index) => index.columns),
  ];
  return [
    ...[spec.dataset, transform.job, record.eventTime, ...dedup.key],
    ...record.fields.map(({ name }) => name),
    ...Object.keys(transform.references),
    ...spec.relations.flatMap(ofRelation),
  ];
}

test('a declaration of any JSON shape gives faults and never throws (X15)', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
      expect(validatePipeline(value as unknown as PipelineSpec).length).toBeGreaterThan(0);
    }),
    { numRuns: 500, examples: [[null], [[]], [{}], [{ raw: null }], [{ relations: [null] }], ['x'], [0]] },
  );
});

test('a sound declaration with any place replaced by any JSON, or removed, never throws; what passes is of the declared types', () => {
  fc.assert(
    fc.property(fc.constantFrom(...PATHS), fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.constant(undefined)), (path, value) => {
      const spec = withPlace(path, value);

      const faults = validatePipeline(spec);

      if (faults.length > 0) return;
      for (const name of namesOf(spec)) expect(name).toMatch(BARE);
      expect(typeof spec.description).toBe('string');
      expect(Number.isInteger(spec.intervalHours) && spec.intervalHours > 0).toBe(true);
    }),
    { numRuns: 3_000 },
  );
});

test('every place of a declaration but a few is needed: without it there is a fault that names it', () => {
  const optional = (path: readonly string[]) => ['schedule', 'schedule.timeZone'].includes(path.join('.'));
  const removable = (path: readonly string[]) => optional(path) || ['references', 'sparkConf', 'columns', 'fields', 'key', 'added', 'served', 'indexes', 'relations'].includes(path.at(-2) ?? '');
  for (const path of PATHS.filter((each) => each.length > 0 && !removable(each))) {
    const dotted = path.map((key) => (/^\d+$/.test(key) ? `[${key}]` : `.${key}`)).join('').slice(1);
    expect([dotted, validatePipeline(withPlace(path, undefined)).some((fault) => fault.startsWith(dotted))]).toEqual([dotted, true]);
  }
});

const hostile = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.stringMatching(/^[a-z_0-9]{1,70}$/),
  fc.constantFrom('a\n', 'a ', 'a"', "a'", 'a;', 'a--', 'a/*', '$1', 'A', 'é', '1a', '_a', '../a', 'a/b', '%s', 'a.b', '--conf', 'constructor', '__proto__', 'xmin', 'ctid'),
);

test('no name that needs quoting passes, wherever a name can stand (X9)', () => {
  const [relation = {} as RelationSpec] = SOUND.relations;
  const places: readonly ((name: string) => PipelineSpec)[] = [
    (name) => ({ ...SOUND, dataset: name }),
    (name) => ({ ...SOUND, transform: { ...SOUND.transform, job: name } }),
    (name) => ({ ...SOUND, transform: { ...SOUND.transform, references: Object.fromEntries([[name, 'reference/a.parquet']]) } }),
    (name) => ({ ...SOUND, relations: [{ ...relation, name }], quality: { ...SOUND.quality, relation: name } }),
    (name) => ({ ...SOUND, relations: [{ ...relation, view: name }] }),
    (name) => ({ ...SOUND, relations: [{ ...relation, columns: [...relation.columns, { name, type: 'text' }] }] }),
    (name) => ({ ...SOUND, record: { ...SOUND.record, fields: [...SOUND.record.fields, { name, source: 's', type: 'text' }] } }),
  ];
  fc.assert(
    fc.property(hostile, fc.constantFrom(...places), (name, place) => {
      const passed = validatePipeline(place(name)).length === 0;

      if (passed) expect(name).toMatch(BARE);
      if (!BARE.test(name)) expect(passed).toBe(false);
    }),
    { numRuns: 2_000 },
  );
  fc.assert(
    fc.property(hostile, (name) => {
      if (validatePipeline({ ...SOUND, name }).length === 0) expect(name).toMatch(BARE_PIPELINE);
    }),
  );
});

test('no option of spark-submit passes as a key or a value of Spark\'s configuration', () => {
  const option = fc.oneof(hostile, fc.constantFrom('1 --conf spark.x=y', '--jars', 'a\tb', "1'", '1"', '$(id)', 'x=1;y', '\\', '1\n2'));
  fc.assert(
    fc.property(option, option, (key, value) => {
      const conf = (name: string, setting: string) => validatePipeline({ ...SOUND, transform: { ...SOUND.transform, sparkConf: Object.fromEntries([[name, setting]]) } });

      if (conf(`spark.${key}`, '1').length === 0) expect(key).toMatch(/^[A-Za-z0-9.]+$/);
      if (!key.startsWith('spark.')) expect(conf(key, '1')).not.toEqual([]);
      if (conf('spark.x', value).length === 0) expect(value).not.toMatch(/[\s"'\\$;`]/);
    }),
  );
});

test('a reference is a key that no path resolution changes', () => {
  const segment = fc.constantFrom('a', '..', '.', '', 'b.parquet', 'reference', '...');
  fc.assert(
    fc.property(fc.array(segment, { minLength: 1, maxLength: 5 }), (segments) => {
      const key = segments.join('/');
      const faults = validatePipeline({ ...SOUND, transform: { ...SOUND.transform, references: { a: key } } });

      if (faults.length === 0) expect(new URL(`http://host/${key}`).pathname).toBe(`/${key}`);
      if (segments.some((each) => ['', '.', '..'].includes(each))) expect(faults).not.toEqual([]);
    }),
  );
});

test.each<[string, PipelineSpec, RegExp]>([
  ['a column that PostgreSQL has itself', withPlace(['relations', '0', 'columns', '1', 'name'], 'ctid'), /system column/],
  ['a view named as a version\'s table', withPlace(['relations', '1', 'view'], 'positions_v2'), /what a version's table of "positions" is named/],
  ['an index without columns', withPlace(['relations', '0', 'indexes', '0', 'columns'], []), /indexes\[0\].columns: expected at least one/],
  ['a served span of no days', withPlace(['transform', 'servedDays'], 0), /^transform.servedDays/],
])('%s is refused before a night is lost on it', (_what, spec, fault) => {
  expect(validatePipeline(spec)).toContainEqual(expect.stringMatching(fault));
});
