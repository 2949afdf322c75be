import type { PipelineSpec } from '../domain/pipeline-spec';

/** Positions that devices report, deduplicated by timestamp and place, joined with airspaces and countries (S2, S0). */
export const mobileGeolocation = {
  name: 'mobile-geolocation',
  description: 'Positions reported by devices, with the airspace and country they fall in',
  dataset: 'mobile_positions',
  intervalHours: 24,
  // Three nights without a server are made up, one after the other.
  schedule: { cron: '0 0 * * *', timeZone: 'UTC', overlap: 'buffer-all', catchupWindowHours: 72 },
  raw: { prefix: 'mobile-geolocation/', format: 'json-lines' },
  record: {
    fields: [
      { name: 'event_time', source: 'timestamp', type: 'timestamp-ms' },
      { name: 'device_id', source: 'icao24', type: 'text' },
      { name: 'longitude', source: 'longitude', type: 'double' },
      { name: 'latitude', source: 'latitude', type: 'double' },
      { name: 'speed', source: 'groundspeed', type: 'double' },
      { name: 'altitude', source: 'altitude', type: 'double' },
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
    chunkBytes: 4 * 1024 * 1024, // some 150,000 gzipped positions
  },
  transform: {
    job: 'positions',
    references: { airspaces: 'reference/airspaces.parquet', countries: 'reference/countries.parquet' },
    sparkConf: {
      'spark.driver.cores': '2',
      'spark.driver.memory': '4g',
      'spark.executor.cores': '4',
      'spark.executor.memory': '16g',
      'spark.dynamicAllocation.maxExecutors': '20',
    },
    timeoutMinutes: 120,
  },
  quality: {
    relation: 'positions',
    added: [
      'RowCount > 0',
      'IsComplete "event_time"',
      'IsComplete "device_id"',
      'Completeness "speed" > 0.9',
      'Completeness "altitude" > 0.9',
      // `between` leaves out both ends, and a fix may lie on the antimeridian or a pole.
      'ColumnValues "longitude" >= -180',
      'ColumnValues "longitude" <= 180',
      'ColumnValues "latitude" >= -90',
      'ColumnValues "latitude" <= 90',
    ],
    served: [
      'RowCount > 0',
      'IsPrimaryKey "event_time" "longitude" "latitude"',
      'Completeness "country" > 0.5',
      'Completeness "speed" > 0.9',
    ],
  },
  relations: [
    {
      name: 'positions',
      view: 'vw_positions',
      columns: [
        { name: 'event_time', type: 'timestamptz' },
        { name: 'device_id', type: 'text' },
        { name: 'geom', type: 'geometry(Point,4326)' },
        { name: 'longitude', type: 'double precision' },
        { name: 'latitude', type: 'double precision' },
        { name: 'speed', type: 'double precision' },
        { name: 'altitude', type: 'double precision' },
        { name: 'zone', type: 'text' },
        { name: 'country', type: 'text' },
        { name: 'cell', type: 'text' },
        { name: 'cycle_id', type: 'text' },
        { name: 'generation', type: 'integer' },
        { name: 'raw_object', type: 'text' },
        { name: 'raw_line', type: 'bigint' },
      ],
      key: ['event_time', 'longitude', 'latitude'],
      refreshBy: 'event_time',
      indexes: [
        { columns: ['geom'], method: 'gist' },
        { columns: ['device_id', 'event_time'], method: 'btree' },
      ],
      mayBeEmpty: false,
    },
    {
      name: 'zone_activity',
      view: 'vw_zone_activity',
      columns: [
        { name: 'zone', type: 'text' },
        { name: 'hour', type: 'timestamptz' },
        { name: 'records', type: 'bigint' },
        { name: 'devices', type: 'bigint' },
        { name: 'mean_speed', type: 'double precision' },
        { name: 'extent', type: 'geometry(Geometry,4326)' },
      ],
      key: ['zone', 'hour'],
      // An hour lies in one UTC day, so its sums are of that day's records.
      refreshBy: 'hour',
      indexes: [{ columns: ['extent'], method: 'gist' }],
      mayBeEmpty: false,
    },
  ],
  promotion: { keepVersions: 2, snapshotWaitMinutes: 15, swapWaitMinutes: 10 },
} as const satisfies PipelineSpec;
