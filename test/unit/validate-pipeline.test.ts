import fc from 'fast-check';
import type { PipelineSpec, RelationSpec } from '../../domain/pipeline-spec';
import { validatePipeline } from '../../domain/validate-pipeline';
import { pipelines } from '../../pipelines';
import { mobileGeolocation } from '../../pipelines/mobile-geolocation';

const sound: PipelineSpec = mobileGeolocation;

test('every declared pipeline is sound, and no two share a name or a view (X15)', () => {
  for (const spec of pipelines) expect(validatePipeline(spec)).toEqual([]);
  const names = pipelines.map((spec) => spec.name);
  const views = pipelines.flatMap((spec) => spec.relations.map((relation) => relation.view));
  expect(new Set(names).size).toBe(names.length);
  expect(new Set(views).size).toBe(views.length);
});

test('a declaration survives serialisation: it is plain data', () => {
  expect(JSON.parse(JSON.stringify(sound))).toEqual(sound);
});

test('every fault of a declaration is reported at once', () => {
  const faults = validatePipeline({
    ...sound,
    name: 'Mobile Geolocation',
    intervalHours: 7,
    schedule: { cron: '0 0 30 2 *', everyHours: 24, timeZone: 'Mars/Olympus', overlap: 'skip', catchupWindowHours: 0, jitterSeconds: 90_000 },
    dedup: { ...sound.dedup, key: ['longitude'], latenessDays: 60 },
    transform: { ...sound.transform, sparkConf: { 'spark.driver.extraJavaOptions': '-Dx=1 --conf spark.evil=1' } },
    quality: { ...sound.quality, added: ['IsComplete "event_time"'] },
  });

  expect(faults).toEqual([
    expect.stringMatching(/^name: /),
    expect.stringMatching(/^intervalHours: /),
    'schedule.cron: expected it or everyHours, found both',
    expect.stringMatching(/^schedule.everyHours: expected intervalHours, 7, .*found 24/),
    expect.stringMatching(/^schedule.timeZone: expected an IANA name .*found "Mars\/Olympus"/),
    expect.stringMatching(/^schedule.timeZone: expected none with everyHours/),
    expect.stringMatching(/^schedule.cron: "0 0 30 2 \*" never fires/),
    expect.stringMatching(/^schedule.catchupWindowHours: expected a whole number from 1/),
    expect.stringMatching(/^schedule.jitterSeconds: expected a whole number from 0 to 86400, found 90000/),
    expect.stringMatching(/^dedup.key: expected "event_time"/),
    expect.stringMatching(/^dedup.latenessDays: .*event dates/),
    expect.stringMatching(/^transform.sparkConf\["spark.driver.extraJavaOptions"\]/),
    expect.stringMatching(/^quality.added: expected a RowCount rule/),
  ]);
});

test('an identifier that is anything but a lower-case SQL name is refused, wherever it stands', () => {
  const hostile = fc.oneof(
    fc.constantFrom('positions; drop table x', 'a"b', "a'b", 'UPPER', '1a', '', 'a b', 'a\nb', 'é', 'a'.repeat(64), '--conf', 'a.b'),
    fc.string().filter((text) => !/^[a-z][a-z0-9_]*$/.test(text)),
  );
  fc.assert(
    fc.property(hostile, (name) => {
      const [relation] = sound.relations;
      if (relation === undefined) throw new Error('the pipeline under test has no relation');
      const column = { name, type: 'text' as const };
      expect(validatePipeline({ ...sound, dataset: name })).not.toEqual([]);
      expect(validatePipeline({ ...sound, relations: [{ ...relation, name }] })).not.toEqual([]);
      expect(validatePipeline({ ...sound, relations: [{ ...relation, view: name }] })).not.toEqual([]);
      expect(validatePipeline({ ...sound, relations: [{ ...relation, columns: [...relation.columns, column] }] })).not.toEqual([]);
      expect(validatePipeline({ ...sound, transform: { ...sound.transform, job: name } })).not.toEqual([]);
    }),
  );
});

test('a field that would hide a lineage column is refused (X5)', () => {
  const fields = [...sound.record.fields, { name: 'raw_object', source: 'o', type: 'text' as const }];

  expect(validatePipeline({ ...sound, record: { ...sound.record, fields } })).toEqual([expect.stringMatching(/lineage column/)]);
});

test('raw objects are JSON lines or Parquet, and nothing else', () => {
  const withFormat = (format: string) => validatePipeline({ ...sound, raw: { ...sound.raw, format: format as 'parquet' } });

  expect(withFormat('parquet')).toEqual([]);
  expect(withFormat('csv')).toEqual(['raw.format: "csv" is none of json-lines, parquet']);
});

test('all relations are refreshed by day or none, each by a column that has a day', () => {
  const [positions, activity] = mobileGeolocation.relations;
  const withRelations = (...relations: PipelineSpec['relations']) => validatePipeline({ ...sound, relations });
  const whole = { ...activity, refreshBy: undefined } as unknown as RelationSpec;

  expect(withRelations(positions, whole)).toEqual([expect.stringMatching(/^relations\[1\]\.refreshBy: expected a column, as other relations have one, found none: .*"zone_activity" needs a pipeline of its own/)]);
  expect(withRelations(positions, { ...activity, refreshBy: 'zone' })).toEqual(['relations[1].refreshBy: expected a column of type timestamptz or date, found text for "zone"']);
  expect(withRelations(positions, { ...activity, refreshBy: 'day' })).toEqual([expect.stringMatching(/^relations\[1\]\.refreshBy: "day" is none of zone, hour/)]);
  expect(validatePipeline({ ...sound, relations: [positions, { ...activity, refreshBy: 1 as unknown as string }] })).toEqual(['relations[1].refreshBy: expected a text, found 1']);
});
