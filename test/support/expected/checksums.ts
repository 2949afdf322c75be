import type { Pool } from 'pg';

/** As `compute.py` prints it for a relation. */
export interface Checksum {
  readonly rows: number;
  readonly md5: string;
  readonly first: string;
  readonly last: string;
}

/** One night of what `compute.py` prints. */
export interface ExpectedNight {
  readonly intervalEnd: string;
  readonly read: number;
  readonly stored: number;
  readonly duplicates: number;
  readonly quarantined: Readonly<Record<string, number>>;
  readonly storedWithoutSpeed: number;
  readonly served: Readonly<Partial<Record<'positions' | 'zone_activity', Checksum>>>;
}

const bits = (column: string) => `coalesce(encode(float8send(${column}), 'hex'), '-')`;
const epochMs = (column: string) => `(extract(epoch from ${column}) * 1000)::bigint`;

const POSITION_LINE = [
  epochMs('event_time'),
  "coalesce(device_id, '-')",
  ...['longitude', 'latitude', 'speed', 'altitude'].map(bits),
  "coalesce(zone, '-')",
  "coalesce(country, '-')",
  'cell',
  'cycle_id',
  'raw_object',
  'raw_line',
].join(", '|', ");
const ACTIVITY_LINE = [
  'zone',
  epochMs('hour'),
  'records',
  'devices',
  "coalesce(round(mean_speed * 1e6)::bigint::text, '-')",
  ...['st_xmin(extent)', 'st_ymin(extent)', 'st_xmax(extent)', 'st_ymax(extent)'].map(bits),
].join(", '|', ");

/** The checksums of what the views serve now, in the form of `compute.py`. */
export async function servedChecksums(pool: Pool): Promise<Readonly<Record<'positions' | 'zone_activity', Checksum>>> {
  return {
    positions: await checksum(pool, `select concat(${POSITION_LINE}) as line from vw_positions order by event_time, longitude, latitude`),
    zone_activity: await checksum(pool, `select concat(${ACTIVITY_LINE}) as line from vw_zone_activity order by zone collate "C", hour`),
  };
}

async function checksum(pool: Pool, lines: string): Promise<Checksum> {
  const { rows } = await pool.query<Checksum>(
    `select count(*)::int as rows, md5(string_agg(line, e'\\n' order by n)) as md5,
            (array_agg(line order by n))[1] as first, (array_agg(line order by n desc))[1] as last
       from (select line, row_number() over () as n from (${lines}) ordered) numbered`,
  );
  const [row] = rows;
  if (row === undefined) throw new Error('A checksum query answered without a row');
  return row;
}
