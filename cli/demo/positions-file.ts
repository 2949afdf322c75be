import { gunzipSync } from 'node:zlib';

/** A position as a receiver recorded it; further keys are kept as they are. */
export interface RecordedPosition {
  /** Epoch milliseconds. */
  readonly timestamp: number;
  readonly icao24: string;
  readonly latitude: number | null;
  readonly longitude: number | null;
  readonly [key: string]: unknown;
}

/** @throws Error that names the file when it is not a gzipped JSON array of positions */
export function readPositions(gzipped: Buffer, name: string): readonly RecordedPosition[] {
  const rows: unknown = JSON.parse(gunzipSync(gzipped).toString('utf8'));
  if (!Array.isArray(rows) || !rows.every(isPosition)) throw new Error(`${name}: expected a JSON array of positions with timestamp and icao24`);
  return rows;
}

function isPosition(row: unknown): row is RecordedPosition {
  return typeof row === 'object' && row !== null && 'timestamp' in row && typeof row.timestamp === 'number' && 'icao24' in row;
}
