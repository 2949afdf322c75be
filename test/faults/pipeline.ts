import type { PipelineSpec } from '../../domain/pipeline-spec';

/** `c017_s3` of pipeline `c017-s3`: what its dataset, relations and views are called by. */
export function relationPrefix(pipeline: string): string {
  return pipeline.replaceAll('-', '_');
}

/**
 * A pipeline of its own for one scenario, so that scenarios share an infrastructure and nothing else: dataset, raw prefix,
 * relations and views carry its name. Every row that a cycle serves has that cycle's interval end in `night`, and `totals` has one
 * row with the number of points, so that one statement over both views shows whether it saw one version.
 * @param name - `[a-z][a-z0-9-]{1,20}`
 */
export function faultPipeline(name: string): PipelineSpec {
  const prefix = relationPrefix(name);
  return {
    name,
    description: 'A scenario of the fault harness',
    dataset: prefix,
    intervalHours: 24,
    raw: { prefix: `${name}/`, format: 'json-lines' },
    record: {
      fields: [
        { name: 'event_time', source: 'timestamp', type: 'timestamp-ms' },
        { name: 'device_id', source: 'device', type: 'text' },
        { name: 'longitude', source: 'longitude', type: 'double' },
        { name: 'latitude', source: 'latitude', type: 'double' },
      ],
      eventTime: 'event_time',
      longitude: 'longitude',
      latitude: 'latitude',
    },
    dedup: {
      key: ['event_time', 'longitude', 'latitude'],
      latenessDays: 3,
      marginDays: 1,
      futureToleranceMinutes: 10,
      chunkBytes: 4_096, // an object or two: a night has several chunks
    },
    transform: { job: 'positions', references: {}, sparkConf: {}, timeoutMinutes: 5 },
    quality: {
      relation: `${prefix}_points`,
      added: ['RowCount > 0', 'IsComplete "device_id"'],
      served: ['RowCount > 0', 'IsPrimaryKey "event_time" "longitude" "latitude"'],
    },
    relations: [
      {
        name: `${prefix}_points`,
        view: `vw_${prefix}_points`,
        columns: [
          { name: 'event_time', type: 'timestamptz' },
          { name: 'device_id', type: 'text' },
          { name: 'geom', type: 'geometry(Point,4326)' },
          { name: 'longitude', type: 'double precision' },
          { name: 'latitude', type: 'double precision' },
          { name: 'night', type: 'text' },
          { name: 'cycle_id', type: 'text' },
          { name: 'generation', type: 'integer' },
          { name: 'raw_object', type: 'text' },
          { name: 'raw_line', type: 'bigint' },
        ],
        key: ['event_time', 'longitude', 'latitude'],
        indexes: [{ columns: ['geom'], method: 'gist' }],
        mayBeEmpty: false,
      },
      {
        name: `${prefix}_totals`,
        view: `vw_${prefix}_totals`,
        columns: [
          { name: 'night', type: 'text' },
          { name: 'records', type: 'bigint' },
        ],
        key: ['night'],
        indexes: [],
        mayBeEmpty: false,
      },
    ],
    promotion: { keepVersions: 2, snapshotWaitMinutes: 1, swapWaitMinutes: 1 },
    heartbeatSeconds: 5,
  };
}

/** The same, deduplicated by Spark: a night is one chunk, and so one run. */
export function deduplicatedBySpark(spec: PipelineSpec): PipelineSpec {
  return { ...spec, dedup: { ...spec.dedup, engine: 'spark', chunkBytes: 1024 ** 3 } };
}

/**
 * The same, refreshed by day: a row's `night` is the end of its own event date, and `totals` has a row for each day. The newest night of
 * both views and the sum of the records still show whether a statement saw one version.
 */
export function refreshedByDay(spec: PipelineSpec): PipelineSpec {
  return {
    ...spec,
    relations: spec.relations.map((relation) =>
      relation.name === spec.quality.relation
        ? { ...relation, refreshBy: 'event_time' }
        : { ...relation, columns: [{ name: 'day', type: 'date' }, ...relation.columns], key: ['day'], refreshBy: 'day' },
    ),
  };
}
