import type { PipelineSpec } from '../../domain/pipeline-spec';
import { outputName } from '../../domain/pipeline-spec';
import { comparedByWorker, shadowPipeline } from '../../domain/shadow-pipeline';
import { validatePipeline } from '../../domain/validate-pipeline';
import { mobileGeolocation } from '../../pipelines/mobile-geolocation';

const declared: PipelineSpec = mobileGeolocation;
const renamed = (change: Partial<PipelineSpec['relations'][number]>): PipelineSpec => ({
  ...declared,
  relations: declared.relations.map((relation, index) => (index === 1 ? { ...relation, ...change } : relation)),
});

test('a shadow pipeline shares no name with the one it shadows, nor with any that could be declared (X4)', () => {
  const shadow = shadowPipeline(declared);

  expect(shadow).toMatchObject({ name: 'mobile-geolocation.dry', dataset: 'mobile-geolocation.dry', quality: { relation: 'positions__dry' } });
  expect(shadow.relations.map(({ name, view }) => [name, view])).toEqual([
    ['positions__dry', 'vw_positions__dry'],
    ['zone_activity__dry', 'vw_zone_activity__dry'],
  ]);
  const faults = validatePipeline(shadow).map((fault) => fault.split(':')[0]);
  expect(faults).toEqual(expect.arrayContaining(['name', 'dataset', 'relations[0].name', 'relations[0].view', 'relations[1].name', 'relations[1].view']));
});

test('it is the same in all that says what is loaded and checked, and its relations are found in the output of the same job (X4)', () => {
  const shadow = shadowPipeline(declared);
  const told = (spec: PipelineSpec) => ({
    ...spec,
    ...{ name: '', dataset: '', quality: { ...spec.quality, relation: '' } },
    relations: spec.relations.map((relation) => ({ ...relation, name: outputName(relation), view: '', output: '' })),
  });

  expect(told(shadow)).toEqual(told(declared));
  expect(shadowPipeline(renamed({ output: 'activity' })).relations.map(outputName)).toEqual(['positions', 'activity']);
});

test('a dry run of a pipeline that Spark deduplicates cuts chunks that a worker can compare, and every other one as its cycle does (X4)', () => {
  const bySpark: PipelineSpec = { ...declared, dedup: { ...declared.dedup, engine: 'spark', chunkBytes: 1024 ** 4 } };

  expect(validatePipeline(bySpark)).toEqual([]);
  expect(comparedByWorker(bySpark)).toEqual({ ...bySpark, dedup: { ...bySpark.dedup, engine: 'duckdb', chunkBytes: 1024 ** 3 } });
  expect(validatePipeline(comparedByWorker(bySpark))).toEqual([]);
  expect(comparedByWorker(declared).dedup.chunkBytes).toBe(declared.dedup.chunkBytes);
});

test('a declaration leaves room for its shadow: with versions and indexes its names stay within PostgreSQL\'s 63 bytes (X4)', () => {
  const longest = renamed({ name: 'r'.repeat(48), view: 'v'.repeat(58) });

  expect(validatePipeline(longest)).toEqual([]);
  for (const { name, view } of shadowPipeline(longest).relations) {
    expect(view.length).toBeLessThanOrEqual(63);
    for (const made of [`${name}_v9999_key`, `${name}_v9999_i10`]) expect(made.length).toBeLessThanOrEqual(63);
  }
  expect(validatePipeline(renamed({ view: 'v'.repeat(59) }))).toEqual([expect.stringContaining('relations[1].view: expected to match') as string]);
});

test('names that a dry run would take for its own, and two relations of one output, are refused (X4)', () => {
  expect(validatePipeline(renamed({ name: 'zone__dry_activity' }))).toEqual([expect.stringContaining('relations[1].name: "__dry" is what dry runs mark') as string]);
  expect(validatePipeline(renamed({ view: 'vw__dry' }))).toEqual([expect.stringContaining('relations[1].view: "__dry" is what dry runs mark') as string]);
  expect(validatePipeline(renamed({ output: 'positions' }))).toEqual(['relations.output: "positions" is declared more than once']);
  expect(validatePipeline(renamed({ output: 'Positions; --' }))).toEqual([expect.stringContaining('relations[1].output: expected to match') as string]);
});
