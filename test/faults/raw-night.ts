import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { uniformInt } from 'pure-rand/distribution/uniformInt';
import type { QuarantineReason } from '../../domain/documents';

/** What must become of a line, as the generator knows it: no code of the product takes part. */
export type Fate =
  | { readonly kind: 'record'; readonly key: string }
  | { readonly kind: 'quarantined'; readonly reason: QuarantineReason };

export interface RawLine {
  readonly text: string;
  readonly fate: Fate;
}

/** One object to put in the raw bucket. `RawLine` i stands on line i + 1. */
export interface RawUpload {
  readonly key: string;
  readonly lines: readonly RawLine[];
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const FIRST_END_MS = Date.UTC(2024, 0, 2);
const OBJECTS = 4;
const LINES = 60;
/** Of a hundred lines: repeats of an earlier record, and lines that must go to quarantine. */
const REPEATS = 12;
const BAD = 6;
/** Safely within the pipeline's lateness of three days: an older repeat would be too late, no duplicate. */
const REPEATED_WITHIN_MS = 2 * DAY_MS;

/** RFC 3339 end of the interval of night `index`, from 1. */
export function nightEnd(index: number): string {
  return new Date(FIRST_END_MS + (index - 1) * DAY_MS).toISOString().replace('.000Z', 'Z');
}

/** `1704067200000|8.5|47.25`: the dedup key of a record, as the auditor reads it back from storage and view. */
export function recordKey(epochMs: number, longitude: number, latitude: number): string {
  return `${epochMs}|${longitude}|${latitude}`;
}

/**
 * The raw objects of one night of a pipeline: mostly new records, some that repeat this night's or an earlier one's, and some bad
 * ones. The same seed gives the same bytes.
 * @param earlier - what the nights before put, whose records may be repeated
 */
export function rawNight(pipeline: string, index: number, seed: number, earlier: readonly RawUpload[]): readonly RawUpload[] {
  const random = xoroshiro128plus(seed * 1_000 + index);
  const below = (limit: number) => uniformInt(random, 0, limit - 1);
  const start = Date.parse(nightEnd(index)) - DAY_MS;
  const known = earlier
    .flatMap((upload) => upload.lines)
    .filter(({ fate }) => fate.kind === 'record' && Number(fate.key.split('|')[0]) >= start - REPEATED_WITHIN_MS);
  const uploads: RawUpload[] = [];
  for (let object = 0; object < OBJECTS; object += 1) {
    const hour = below(23);
    const lines: RawLine[] = [];
    for (let line = 0; line < LINES; line += 1) {
      const dice = below(100);
      // What was sent later in the day cannot have arrived by now.
      const sent = known.filter(({ fate }) => fate.kind === 'record' && Number(fate.key.split('|')[0]) < start + (hour + 1) * HOUR_MS);
      const repeated = dice < REPEATS ? sent[below(sent.length + 1)] : undefined;
      if (repeated !== undefined) lines.push(repeated);
      else if (dice >= 100 - BAD) lines.push(badLine(dice, start + hour * HOUR_MS, below));
      else {
        const fresh = goodLine(start + hour * HOUR_MS + below(HOUR_MS), below);
        lines.push(fresh);
        known.push(fresh);
      }
    }
    const day = new Date(start).toISOString().slice(0, 10).replaceAll('-', '/');
    uploads.push({ key: `${pipeline}/${day}/${String(hour).padStart(2, '0')}/gateway ${object}+${index}.json`, lines });
  }
  return uploads;
}

type Below = (limit: number) => number;

function goodLine(epochMs: number, below: Below): RawLine {
  const longitude = (below(360_000) - 180_000) / 1_000;
  const latitude = (below(180_000) - 90_000) / 1_000;
  const text = JSON.stringify({ timestamp: epochMs, device: `d-${below(50)}`, longitude, latitude });
  return { text, fate: { kind: 'record', key: recordKey(epochMs, longitude, latitude) } };
}

function badLine(dice: number, epochMs: number, below: Below): RawLine {
  const faulty = (reason: QuarantineReason, record: Readonly<Record<string, unknown>>) => ({
    text: JSON.stringify({ timestamp: epochMs, device: `d-${below(50)}`, longitude: 8.5, latitude: 47.25, ...record }),
    fate: { kind: 'quarantined', reason } as const,
  });
  switch (dice % 5) {
    case 0:
      return { text: `{"timestamp": ${epochMs}, "device": "cut`, fate: { kind: 'quarantined', reason: 'bad_line' } };
    case 1:
      return faulty('null_coordinate', { longitude: null });
    case 2:
      return faulty('coordinate_out_of_range', { latitude: 91 });
    case 3:
      return faulty('too_late', { timestamp: epochMs - 30 * DAY_MS });
    default:
      return faulty('future', { timestamp: epochMs + 30 * DAY_MS });
  }
}
