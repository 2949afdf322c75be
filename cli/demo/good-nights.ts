import { arrivedAt, batchesOf, jsonLines, type DeliveredObject } from './raw-object';
import type { RecordedPosition } from './positions-file';

const HOUR_MS = 3_600_000;
const BATCH_RECORDS = 4_000;
/** Not a divisor of the first night's: a resent batch is never byte for byte one that was delivered before. */
const RESENT_BATCH_RECORDS = 3_100;
/** How much of the first night's end is delivered again. */
const RESENT_HOURS = 3;
/** Phones back in coverage after a night: the second half arrives this long after it was recorded. */
const NIGHT_TWO_DELAY_HOURS = 12;

/** The first half by time, each record delivered in the hour after it was recorded. */
export function firstNight(positions: readonly RecordedPosition[]): readonly DeliveredObject[] {
  const middle = middleOf(positions);
  return delivered(positions.filter((record) => record.timestamp < middle), 1);
}

/** The second half, half a day late, and again the last hours of the first: in other files, by device and newest first. */
export function secondNight(positions: readonly RecordedPosition[]): readonly DeliveredObject[] {
  const middle = middleOf(positions);
  const fresh = delivered(positions.filter((record) => record.timestamp >= middle), NIGHT_TWO_DELAY_HOURS);
  const resent = positions
    .filter((record) => record.timestamp < middle && record.timestamp >= middle - RESENT_HOURS * HOUR_MS)
    .sort((a, b) => compareText(a.icao24, b.icao24) || b.timestamp - a.timestamp);
  const arrival = new Date('2018-08-02T10:00:00Z');
  return [
    ...fresh,
    ...batchesOf(resent, RESENT_BATCH_RECORDS).map((batch, index) => ({ key: arrivedAt(arrival, resentName(index)), body: jsonLines(batch) })),
  ];
}

/** Names are data: the second batch of an hour comes from a gateway that writes spaces, the third from one that escapes them. */
function batchName(index: number): string {
  const number = String(index + 1).padStart(3, '0');
  if (index === 1) return `gateway b ${number}.json.gz`;
  if (index === 2) return `gateway%2Fc+${number}.json.gz`;
  return `gateway-a-${number}.json.gz`;
}

function resentName(index: number): string {
  return index === 0 ? '--conf resent=001.json.gz' : `resent-${String(index + 1).padStart(3, '0')}.json.gz`;
}

function delivered(positions: readonly RecordedPosition[], delayHours: number): readonly DeliveredObject[] {
  return byArrivalHour(positions, delayHours).flatMap(([hour, records]) =>
    batchesOf(records, BATCH_RECORDS).map((batch, index) => ({ key: arrivedAt(hour, batchName(index)), body: jsonLines(batch) })),
  );
}

/** Epoch milliseconds of the median record: one instant is never in both halves. */
function middleOf(positions: readonly RecordedPosition[]): number {
  const times = positions.map((record) => record.timestamp).sort((a, b) => a - b);
  const middle = times[Math.floor(times.length / 2)];
  if (middle === undefined) throw new Error('The day over Switzerland has no positions: expected 139,098');
  return middle;
}

function byArrivalHour(positions: readonly RecordedPosition[], delayHours: number): readonly (readonly [Date, readonly RecordedPosition[]])[] {
  const hours = new Map<number, RecordedPosition[]>();
  for (const record of [...positions].sort((a, b) => a.timestamp - b.timestamp || compareText(a.icao24, b.icao24))) {
    const arrival = (Math.floor(record.timestamp / HOUR_MS) + delayHours) * HOUR_MS;
    const known = hours.get(arrival);
    if (known === undefined) hours.set(arrival, [record]);
    else known.push(record);
  }
  return [...hours].sort(([a], [b]) => a - b).map(([hour, records]) => [new Date(hour), records] as const);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
