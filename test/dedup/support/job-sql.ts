import { resolve } from 'node:path';
import { RAW_LIMITS } from '../../../activities/ledger/line-splitter';
import { CREATE_OBJECT_TABLE, createRecordTable, keyFingerprintSql } from '../../../activities/ledger/record-sql';
import type { PipelineSpec } from '../../../domain/pipeline-spec';
import { mobileGeolocation } from '../../../pipelines/mobile-geolocation';
import { POISON_SPEC } from '../../poison/corpus/entry';

/** What the tests of `jobs/` put in their documents: they cannot make the worker's SQL themselves. */
export const JOB_SQL_FILE = resolve(__dirname, '..', '..', '..', 'jobs', 'tests', 'fixtures', 'dedup_sql.json');

const SPECS: Readonly<Record<string, PipelineSpec>> = {
  mobile: mobileGeolocation,
  everyType: { ...POISON_SPEC, dedup: { ...POISON_SPEC.dedup, key: ['event_time', 'device_id', 'big', 'flag', 'speed', 'seen_at'] } },
};

/** The parts of a DedupInput that come from a pipeline's declaration, for some pipelines. */
export function jobSqlText(): string {
  const parts = Object.entries(SPECS).map(([name, spec]) => [
    name,
    {
      limits: RAW_LIMITS,
      fields: spec.record.fields,
      eventTime: spec.record.eventTime,
      sql: { createObjects: CREATE_OBJECT_TABLE, createRecords: createRecordTable(spec, '{lines}', RAW_LIMITS), fingerprint: keyFingerprintSql(spec) },
    },
  ]);
  return `${JSON.stringify(Object.fromEntries(parts), undefined, 1)}\n`;
}
