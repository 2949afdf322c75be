/** Nights of few positions, so that batches repeat and overlap each other, and dedup by a plain set: the rules, none of the product's code. */
import { rm } from 'node:fs/promises';
import fc from 'fast-check';
import { liveStorageFiles } from '../../../activities/ledger';
import type { CycleRef } from '../../../domain/cycle';
import type { RecordCounts } from '../../../domain/documents';
import type { PipelineSpec } from '../../../domain/pipeline-spec';
import type { Deps } from './ledger-stack';
import { keysIn, SPEC, storedRecords } from './nights';
import { type Interference, wrapped } from './wrapped-client';

export const DAY_MS = 86_400_000;
export const HOUR_MS = 3_600_000;
export const FIRST_DAY = Date.parse('2018-08-01T00:00:00Z');
/** Small objects make chunks of one to three objects each. */
export const spec: PipelineSpec = { ...SPEC, dedup: { ...SPEC.dedup, chunkBytes: 120 } };

/** A position out of few, so that batches repeat and overlap each other. */
export interface Sighting {
  readonly hoursBeforeArrival: number;
  readonly place: number;
}
export interface Batch {
  readonly arrivalHour: number;
  readonly daysLate: number;
  readonly name: string;
  readonly sightings: readonly Sighting[];
}
export interface Crash {
  /** The call of the attempt at which it dies; an attempt with fewer calls lives. */
  readonly call: number;
  /** Before the service has seen the call, or after it did what was asked. */
  readonly when: 'before' | 'after';
  readonly losesDisk: boolean;
}
export interface Night {
  readonly batches: readonly Batch[];
  readonly outcome: 'promoted' | 'failed';
  readonly crashes: readonly Crash[];
}

export const night: fc.Arbitrary<Night> = fc.record({
  batches: fc.array(
    fc.record({
      arrivalHour: fc.nat(23),
      daysLate: fc.nat(2),
      name: fc.constantFrom('a', 'b', 'c', 'é', '🚀'),
      // Up to 71 hours before: beyond the window's three days nothing is stored.
      sightings: fc.array(fc.record({ hoursBeforeArrival: fc.nat(71), place: fc.nat(2) }), { minLength: 1, maxLength: 12 }),
    }),
    { maxLength: 6 },
  ),
  outcome: fc.constantFrom('promoted', 'promoted', 'failed'),
  crashes: fc.array(fc.record({ call: fc.nat(30), when: fc.constantFrom('before', 'after'), losesDisk: fc.boolean() }), { maxLength: 4 }),
});

/** One record that the model holds as stored. */
export interface Stored {
  readonly key: string;
  readonly day: number;
  readonly cycle: CycleRef;
  readonly rawObject: string;
  readonly rawLine: number;
}

export function recordOf({ hoursBeforeArrival, place }: Sighting, arrivalMs: number) {
  return { timestamp: arrivalMs - hoursBeforeArrival * HOUR_MS, longitude: place, latitude: 0 };
}

/** The objects that a cycle finds: not settled, and arrived in its interval or the three days before it; in byte order. */
export function objectsInReach<T extends { readonly arrivalMs: number }>(objects: ReadonlyMap<string, T>, cycle: CycleRef): [string, T][] {
  const end = Date.parse(cycle.intervalEnd);
  return [...objects]
    .filter(([, { arrivalMs }]) => arrivalMs < end && arrivalMs >= end - 4 * DAY_MS)
    .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** Dedup by a plain set: the rules, none of the product's code. */
export function dedupModel(
  before: readonly Stored[],
  objects: readonly (readonly [key: string, batch: Batch & { readonly arrivalMs: number }])[],
  cycle: CycleRef,
): { readonly counts: RecordCounts; readonly stored: readonly Stored[] } {
  const seen = new Set(before.map(({ key }) => key));
  const stored: Stored[] = [];
  let read = 0;
  for (const [rawObject, { sightings, arrivalMs }] of objects) {
    for (const [index, sighting] of sightings.entries()) {
      const { timestamp, longitude } = recordOf(sighting, arrivalMs);
      const key = `${timestamp}/${longitude}`;
      read += 1;
      if (seen.has(key)) continue;
      seen.add(key);
      stored.push({ key, day: Math.floor(timestamp / DAY_MS) * DAY_MS, cycle, rawObject, rawLine: index + 1 });
    }
  }
  return { counts: { read, stored: stored.length, duplicates: read - stored.length, quarantined: {} }, stored };
}

export function asText({ key, day, cycle, rawObject, rawLine }: Stored): string {
  return `${key} ${new Date(day).toISOString().slice(0, 10)} ${cycle.intervalEnd} ${rawObject} ${rawLine}`;
}

export async function actuallyStored(deps: Deps): Promise<readonly string[]> {
  const instant = (id: string) => id.replace(/^.*\/(\d{4})(\d\d)(\d\d)T.*$/, '$1-$2-$3T00:00:00Z');
  return (await storedRecords(deps, spec))
    .map((each) => `${each.epochMs}/${each.longitude} ${each.eventDate} ${instant(each.cycleId)} ${each.rawObject} ${each.rawLine}`)
    .sort();
}

/** Files that no committed chunk names: what lists a date's prefix would count them. */
export async function leftoversOf(deps: Deps, dataset: string): Promise<readonly string[]> {
  const live = new Set((await liveStorageFiles(deps, { dataset })).map(({ key }) => key));
  return (await keysIn(deps, 'storage', `${dataset}/`)).filter((key) => !live.has(key));
}

export const CRASH = new Error('the process died here');

/**
 * Runs an attempt in a process that dies at one call: every later call finds it dead, and whatever it would have returned is lost.
 * @returns the calls that were made, the one it died at included
 */
export async function dyingAt<T>(deps: Deps, { call, when }: Crash, attempt: (deps: Deps) => Promise<T>): Promise<{ readonly result: T | typeof CRASH; readonly calls: number }> {
  let calls = 0;
  let dead = false;
  const die = () => {
    dead = true;
    throw CRASH;
  };
  const interference: Interference = {
    before: () => {
      if (dead) die();
      calls += 1;
      if (calls === call + 1 && when === 'before') die();
    },
    after: () => {
      if (dead || calls >= call + 1) die();
    },
  };
  const dying = { ...deps, s3: wrapped(deps.s3, interference), dynamodb: wrapped(deps.dynamodb, interference) };
  const result = await attempt(dying).catch((error: unknown) => {
    if (!dead) throw error;
    return CRASH;
  });
  return { result: dead ? CRASH : result, calls };
}

/** Runs an activity as Temporal does: attempts that die, then one that lives. */
export async function withCrashes<T>(deps: Deps, crashes: readonly Crash[], skip: number, attempt: (deps: Deps) => Promise<T>): Promise<T> {
  for (const crash of crashes.slice(skip)) {
    const { result } = await dyingAt(deps, crash, attempt);
    if (result !== CRASH) return result as T;
    if (crash.losesDisk) await rm(deps.workDir, { recursive: true, force: true });
  }
  return attempt(deps);
}
