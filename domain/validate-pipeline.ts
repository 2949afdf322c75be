import { longestIntervalHours } from './calendar';
import { VERDICTS } from './decision';
import { ingestFaults, runsOnObject } from './ingest';
import { pipelineShapeFaults } from './pipeline-shape';
import { COLUMN_TYPES, DEDUP_ENGINES, type FieldType, LINEAGE_COLUMNS, MOST_CHUNK_BYTES, outputName, type PipelineSpec, RAW_FORMATS, type RelationSpec } from './pipeline-spec';
import { SHADOW_SUFFIX } from './shadow-pipeline';
import { scheduleFaults } from './validate-schedule';

const PIPELINE_NAME = /^[a-z][a-z0-9-]{1,31}$/;
const DATASET_NAME = /^[a-z][a-z0-9_]{1,31}$/;
const RELATION_NAME = /^[a-z][a-z0-9_]{0,47}$/;
const SQL_NAME = /^[a-z][a-z0-9_]{0,62}$/;
/** PostgreSQL's 63 bytes less those of a dry run's suffix. */
const VIEW_NAME = /^[a-z][a-z0-9_]{0,57}$/;
const JOB_NAME = /^[a-z][a-z0-9_]{0,62}$/;
const REFERENCE_KEY = /^[a-z0-9][a-z0-9._/-]{0,200}$/;
const RAW_PREFIX = /^[A-Za-z0-9][A-Za-z0-9!_.*'()/-]{0,200}\/$/;
const SPARK_CONF_KEY = /^spark\.[A-Za-z0-9.]+$/;
const SPARK_CONF_VALUE = /^[A-Za-z0-9_.,:/=-]{1,200}$/;
/** What neither SQL nor UTF-8 can carry. */
const NO_TEXT = /[\0\p{Surrogate}]/u;
const FIELD_TYPES: readonly FieldType[] = ['timestamp-ms', 'double', 'bigint', 'text', 'boolean'];
/** Cycles wait 24 hours for the dataset's turn: a held one must give it back well before. */
const LONGEST_HOLD_MINUTES = 20 * 60;
/** DynamoDB transacts 100 items: a chunk item, the fence, and a log entry for each event date (design section 5). */
const MAX_EVENT_DATES = 90;
/** PostgreSQL's own in every table: no column can be named so. */
const SYSTEM_COLUMNS = ['tableoid', 'xmin', 'cmin', 'xmax', 'cmax', 'ctid'];
/** Columns that dedup adds to every stored record, or its path: a declared field of that name would hide its lineage. */
const RESERVED_FIELDS: readonly string[] = [...LINEAGE_COLUMNS, 'event_date'];

/**
 * Every fault of a declaration, each with the path, what was expected and what was found; empty when it is sound. A declaration may
 * come from JSON: one of another shape gives the faults of its shape, since its values then mean nothing.
 */
export function validatePipeline(spec: PipelineSpec): readonly string[] {
  const shapeFaults = pipelineShapeFaults(spec);
  if (shapeFaults.length > 0) return shapeFaults;
  const faults: string[] = [];
  const expectMatch = (path: string, value: unknown, pattern: RegExp) => {
    if (typeof value !== 'string' || !pattern.test(value)) {
      faults.push(`${path}: expected to match ${pattern.source}, found ${JSON.stringify(value)}`);
    }
  };
  const expectWhole = (path: string, value: unknown, least: number, most: number) => {
    if (!Number.isInteger(value) || (value as number) < least || (value as number) > most) {
      faults.push(`${path}: expected a whole number from ${least} to ${most}, found ${JSON.stringify(value)}`);
    }
  };
  const expectUnique = (path: string, values: readonly string[]) => {
    for (const value of new Set(values.filter((each, index) => values.indexOf(each) !== index))) {
      faults.push(`${path}: "${value}" is declared more than once`);
    }
  };
  const expectKnown = (path: string, value: string, known: readonly string[]) => {
    if (!known.includes(value)) faults.push(`${path}: "${value}" is none of ${known.join(', ')}`);
  };

  expectMatch('name', spec.name, PIPELINE_NAME);
  expectMatch('dataset', spec.dataset, DATASET_NAME);
  expectWhole('intervalHours', spec.intervalHours, 1, 24 * 31);
  if (24 % spec.intervalHours !== 0 && spec.intervalHours % 24 !== 0) {
    faults.push(`intervalHours: expected a divisor or a multiple of 24, found ${spec.intervalHours}`);
  }
  faults.push(...scheduleFaults(spec), ...ingestFaults(spec));
  expectMatch('raw.prefix', spec.raw.prefix, RAW_PREFIX);
  if (spec.raw.prefix.split('/').includes('..')) faults.push(`raw.prefix: ".." has no meaning in S3, found "${spec.raw.prefix}"`);

  expectKnown('raw.format', spec.raw.format, RAW_FORMATS);

  validateRecord(spec, faults, { expectMatch, expectUnique, expectKnown });

  expectWhole('dedup.latenessDays', spec.dedup.latenessDays, 0, MAX_EVENT_DATES);
  expectWhole('dedup.marginDays', spec.dedup.marginDays, 1, 30);
  expectWhole('dedup.futureToleranceMinutes', spec.dedup.futureToleranceMinutes, 0, 24 * 60);
  const { engine = 'duckdb' } = spec.dedup;
  expectKnown('dedup.engine', engine, DEDUP_ENGINES);
  expectWhole('dedup.chunkBytes', spec.dedup.chunkBytes, 1, MOST_CHUNK_BYTES[engine] ?? MOST_CHUNK_BYTES.duckdb);
  // An interval that ends at a local time, or when objects have come, begins and ends within a UTC date.
  const edgeDates = spec.schedule?.cron === undefined && !runsOnObject(spec) ? 2 : 3;
  const eventDates = spec.dedup.latenessDays * 2 + Math.ceil(longestIntervalHours(spec) / 24) + edgeDates;
  if (eventDates > MAX_EVENT_DATES) {
    faults.push(
      `dedup.latenessDays: one chunk could touch ${eventDates} event dates, at most ${MAX_EVENT_DATES} fit one transaction`,
    );
  }

  expectMatch('transform.job', spec.transform.job, JOB_NAME);
  expectWhole('transform.timeoutMinutes', spec.transform.timeoutMinutes, 1, 12 * 60);
  if (spec.transform.servedDays !== undefined) expectWhole('transform.servedDays', spec.transform.servedDays, 1, 36_500);
  for (const [name, key] of Object.entries(spec.transform.references)) {
    expectMatch('transform.references', name, SQL_NAME);
    expectMatch(`transform.references.${name}`, key, REFERENCE_KEY);
    // Spark's paths would resolve them: another key than the one that stands there.
    if (key.split('/').some((segment) => ['', '.', '..'].includes(segment))) {
      faults.push(`transform.references.${name}: expected no empty, "." or ".." segment, found "${key}"`);
    }
  }
  for (const [key, value] of Object.entries(spec.transform.sparkConf)) {
    expectMatch('transform.sparkConf', key, SPARK_CONF_KEY);
    expectMatch(`transform.sparkConf["${key}"]`, value, SPARK_CONF_VALUE);
  }

  if (spec.relations.length === 0) faults.push('relations: expected at least one, found none');
  expectUnique('relations.name', spec.relations.map((relation) => relation.name));
  expectUnique('relations.view', spec.relations.map((relation) => relation.view));
  expectUnique('relations.output', spec.relations.map(outputName));
  for (const { view } of spec.relations) {
    const table = spec.relations.find(({ name }) => view.startsWith(`${name}_v`) && /^\d+$/.test(view.slice(name.length + 2)));
    if (table !== undefined) faults.push(`relations.view: "${view}" is what a version's table of "${table.name}" is named`);
  }
  expectKnown('quality.relation', spec.quality.relation, spec.relations.map((relation) => relation.name));
  for (const step of ['added', 'served'] as const) {
    // The gate's own count is one of the three that must agree before a candidate is ready (design section 7.3).
    if (!spec.quality[step].some((rule) => /^\s*RowCount\b/.test(rule))) {
      faults.push(`quality.${step}: expected a RowCount rule among them, since the gate's count is compared with the load's`);
    }
  }
  const { hold } = spec.quality;
  if (hold !== undefined) {
    expectWhole('quality.hold.deadlineMinutes', hold.deadlineMinutes, 1, LONGEST_HOLD_MINUTES);
    expectWhole('quality.hold.remindEveryMinutes', hold.remindEveryMinutes, 1, LONGEST_HOLD_MINUTES);
    expectKnown('quality.hold.atDeadline', hold.atDeadline, VERDICTS);
  }
  spec.relations.forEach((relation, index) => {
    validateRelation(relation, `relations[${index}]`, faults, { expectMatch, expectUnique, expectKnown });
  });

  const whole = spec.relations.findIndex((relation) => relation.refreshBy === undefined);
  if (whole >= 0 && spec.relations.some((relation) => relation.refreshBy !== undefined)) {
    faults.push(
      `relations[${whole}].refreshBy: expected a column, as other relations have one, found none: the job is given only the days that changed, so "${spec.relations[whole]?.name}" needs a pipeline of its own, or none is refreshed by day`,
    );
  }

  expectWhole('promotion.keepVersions', spec.promotion.keepVersions, 0, 30);
  expectWhole('promotion.snapshotWaitMinutes', spec.promotion.snapshotWaitMinutes, 1, 24 * 60);
  expectWhole('promotion.swapWaitMinutes', spec.promotion.swapWaitMinutes, 1, 24 * 60);
  // Below, a busy worker's beats come late; above, a night would wait for a dead one.
  if (spec.heartbeatSeconds !== undefined) expectWhole('heartbeatSeconds', spec.heartbeatSeconds, 3, 600);
  return faults;
}

interface Expectations {
  readonly expectMatch: (path: string, value: unknown, pattern: RegExp) => void;
  readonly expectUnique: (path: string, values: readonly string[]) => void;
  readonly expectKnown: (path: string, value: string, known: readonly string[]) => void;
}

function validateRecord(spec: PipelineSpec, faults: string[], expect: Expectations): void {
  const { record, dedup } = spec;
  const names = record.fields.map((field) => field.name);
  expect.expectUnique('record.fields.name', names);
  record.fields.forEach((field, index) => {
    expect.expectMatch(`record.fields[${index}].name`, field.name, SQL_NAME);
    if (RESERVED_FIELDS.includes(field.name)) faults.push(`record.fields[${index}].name: "${field.name}" is a lineage column`);
    if (field.source.length === 0 || field.source.length > 200 || NO_TEXT.test(field.source)) {
      faults.push(`record.fields[${index}].source: expected 1 to 200 characters, U+0000 and lone surrogates not among them, found ${JSON.stringify(field.source)}`);
    }
    expect.expectKnown(`record.fields[${index}].type`, field.type, FIELD_TYPES);
  });
  const typeOf = (name: string) => record.fields.find((field) => field.name === name)?.type;
  for (const [role, type] of [['eventTime', 'timestamp-ms'], ['longitude', 'double'], ['latitude', 'double']] as const) {
    const found = typeOf(record[role]);
    if (found !== type) {
      faults.push(`record.${role}: expected a field of type ${type}, found ${found ?? 'no field'} for "${record[role]}"`);
    }
  }
  for (const field of dedup.key) expect.expectKnown('dedup.key', field, names);
  expect.expectUnique('dedup.key', dedup.key);
  if (!dedup.key.includes(record.eventTime)) {
    faults.push(`dedup.key: expected "${record.eventTime}" in it, since the key must determine the event date`);
  }
}

function validateRelation(relation: RelationSpec, path: string, faults: string[], expect: Expectations): void {
  const names = relation.columns.map((column) => column.name);
  expect.expectMatch(`${path}.name`, relation.name, RELATION_NAME);
  expect.expectMatch(`${path}.view`, relation.view, VIEW_NAME);
  if (relation.output !== undefined) expect.expectMatch(`${path}.output`, relation.output, RELATION_NAME);
  for (const member of ['name', 'view'] as const) {
    if (relation[member].includes(SHADOW_SUFFIX)) faults.push(`${path}.${member}: "${SHADOW_SUFFIX}" is what dry runs mark their own by, found "${relation[member]}"`);
  }
  if (names.length === 0) faults.push(`${path}.columns: expected at least one, found none`);
  expect.expectUnique(`${path}.columns`, names);
  relation.columns.forEach((column, index) => {
    expect.expectMatch(`${path}.columns[${index}].name`, column.name, SQL_NAME);
    if (SYSTEM_COLUMNS.includes(column.name)) faults.push(`${path}.columns[${index}].name: "${column.name}" is a system column of PostgreSQL`);
    expect.expectKnown(`${path}.columns[${index}].type`, column.type, COLUMN_TYPES);
  });
  if (relation.refreshBy !== undefined) {
    expect.expectKnown(`${path}.refreshBy`, relation.refreshBy, names);
    const type = relation.columns.find((column) => column.name === relation.refreshBy)?.type;
    if (type !== undefined && type !== 'timestamptz' && type !== 'date') {
      faults.push(`${path}.refreshBy: expected a column of type timestamptz or date, found ${type} for "${relation.refreshBy}"`);
    }
  }
  if (relation.key.length === 0) faults.push(`${path}.key: expected at least one column, found none`);
  for (const column of relation.key) expect.expectKnown(`${path}.key`, column, names);
  relation.indexes.forEach((index, at) => {
    if (index.columns.length === 0) faults.push(`${path}.indexes[${at}].columns: expected at least one, found none`);
    for (const column of index.columns) expect.expectKnown(`${path}.indexes[${at}].columns`, column, names);
    expect.expectKnown(`${path}.indexes[${at}].method`, index.method, ['btree', 'gist', 'brin']);
  });
}
