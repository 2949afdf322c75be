import { gzipSync } from 'node:zlib';
import { arrivedAt, batchesOf, jsonLines, type DeliveredObject } from './raw-object';
import type { RecordedPosition } from './positions-file';

const BATCH_RECORDS = 4_000;
const HOUR_MS = 3_600_000;
const CARRIER_HOUR = new Date('2019-11-29T17:00:00Z');
const FAULTS_HOUR = new Date('2019-11-29T18:00:00Z');
/** Sent by devices whose firmware is broken: this many records of each fault. */
const FAULTY_RECORDS = 40;

/**
 * A night that must not be served: an airport's ground receiver as it recorded (days of it too late, the day itself without a
 * single speed), positions from the next year, and objects that are damaged, no JSON, or from broken devices.
 */
export function badNight(zurichAirport: readonly RecordedPosition[], aircraftCarrier: readonly RecordedPosition[]): readonly DeliveredObject[] {
  const airport = batchesOf(zurichAirport, BATCH_RECORDS).map((batch, index) => ({
    // The last position is of 10:25; the receiver delivers from 11 o'clock on, an hour a batch.
    key: arrivedAt(new Date(Date.parse('2019-11-29T11:00:00Z') + index * HOUR_MS), `airport ${index + 1}.json.gz`),
    body: jsonLines(batch),
  }));
  const carrier = batchesOf(aircraftCarrier, BATCH_RECORDS).map((batch, index) => ({
    key: arrivedAt(CARRIER_HOUR, `carrier-${index + 1}.json.gz`),
    body: jsonLines(batch),
  }));
  const whole = jsonLines(zurichAirport.slice(-500));
  return [
    ...airport,
    ...carrier,
    { key: arrivedAt(FAULTS_HOUR, 'cut-off.json.gz'), body: whole.subarray(0, Math.floor(whole.length / 2)) },
    { key: arrivedAt(FAULTS_HOUR, 'gateway error.json.gz'), body: gzipSync(Buffer.from(ERROR_PAGE, 'utf8')) },
    { key: arrivedAt(FAULTS_HOUR, 'old+firmware.json.gz'), body: gzipSync(Buffer.from(faultyLines(zurichAirport.slice(-FAULTY_RECORDS)), 'utf8')) },
  ];
}

/** What a gateway stores when its upstream is down. */
const ERROR_PAGE = ['<html>', '<head><title>503 Service Unavailable</title></head>', '<body>no healthy upstream</body>', '</html>', ''].join('\n');

/** Latitudes over 90, the NaN that Python's json writes, and timestamps in seconds. */
function faultyLines(records: readonly RecordedPosition[]): string {
  const lines = records.flatMap((record) => [
    JSON.stringify({ ...record, latitude: 90 + Math.abs(Number(record.latitude)) }),
    JSON.stringify({ ...record, latitude: null }).replace('"latitude":null', '"latitude":NaN'),
    JSON.stringify({ ...record, timestamp: Math.floor(record.timestamp / 1000) }),
  ]);
  return lines.map((line) => `${line}\n`).join('');
}
