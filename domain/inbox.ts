import { type DataInterval, toRfc3339 } from './data-interval';
import type { IngestDeclaration } from './ingest';
import type { IngestSpec } from './pipeline-spec';

/** An object of which an event told, as S3 told it. */
export interface ArrivedObject {
  readonly key: string;
  /** Absent in an unversioned bucket. */
  readonly versionId?: string;
  readonly etag: string;
  readonly sizeBytes: number;
  /** S3's own: grows with each version of a key, and is the same in each copy of an event. */
  readonly sequencer: string;
  /** RFC 3339, of the event. */
  readonly eventTime: string;
}

/** What waits for a cycle: counts, never keys. */
export interface Pending {
  readonly objectCount: number;
  readonly sizeBytes: number;
  /** Epoch milliseconds of the oldest event; absent when nothing waits. */
  readonly oldestMs?: number;
  /** Epoch milliseconds of the latest arrival hour. */
  readonly latestHourMs?: number;
}

/** A cycle that an inbox started or waits for. */
export interface InboxCycle {
  readonly workflowId: string;
  readonly intervalEnd: string;
  /** What made it start. */
  readonly reason: StartReason;
  readonly startedAt: string;
  /** Objects that were not loaded when it started. */
  readonly objectCount: number;
}

export interface EndedInboxCycle extends InboxCycle {
  /** The cycle's, or in lower case what its execution ended as. */
  readonly outcome: string;
}

export type StartReason = 'flush' | 'count' | 'bytes' | 'age' | 'sweep';

/** All that an inbox knows: what it carries from one execution to the next. Bounded, whatever arrives. */
export interface InboxState {
  readonly pending: Pending;
  /** Marks of the last versions that were counted, so that an event's copies count once. */
  readonly counted: readonly string[];
  readonly paused: boolean;
  readonly flushAsked: boolean;
  /** Epoch milliseconds; no listing before, unless a limit is reached. */
  readonly sweepDueMs: number;
  /** Nothing starts before: a start failed. */
  readonly retryAtMs?: number;
  readonly fault?: string;
  /** End of the last interval, RFC 3339: the next one starts there. */
  readonly lastEnd?: string;
  readonly running?: InboxCycle;
  readonly ended: readonly EndedInboxCycle[];
}

/** Answer of the query `inbox`. */
export interface InboxView {
  readonly pipeline: string;
  readonly paused: boolean;
  readonly pending: { readonly objectCount: number; readonly sizeBytes: number; readonly oldestAt?: string };
  readonly running?: InboxCycle;
  readonly lastCycles: readonly EndedInboxCycle[];
  readonly nextSweepAt: string;
  /** Why the last try to start a cycle came to nothing; it is tried again. */
  readonly fault?: string;
}

const NOTHING_PENDING: Pending = { objectCount: 0, sizeBytes: 0 };
const RETRY_MS = 60_000;

const HOUR_MS = 3_600_000;
const COUNTED_MARKS = 2_000; // some 20 KB to carry; older copies are counted again, and a listing finds them loaded
const ENDED_CYCLES = 10;
/** A gateway whose clock runs ahead writes into the next hour's partition before it has begun. */
const HOUR_AHEAD_MS = 5 * 60_000;

/** A new inbox looks at once for what came before it. */
export function emptyInbox(nowMs: number): InboxState {
  return { pending: NOTHING_PENDING, counted: [], paused: false, flushAsked: false, sweepDueMs: nowMs, ended: [] };
}

/** Counts what arrived, each version once. What lies in no arrival hour is never loaded, so never counted. */
export function withArrivals(state: InboxState, objects: readonly ArrivedObject[], prefix: string, nowMs: number): InboxState {
  const counted = new Set(state.counted);
  let pending = state.pending;
  for (const object of objects) {
    const hourMs = arrivalHourMs(prefix, object.key);
    const mark = markOf(object);
    if (hourMs === undefined || counted.has(mark)) continue;
    counted.add(mark);
    const eventMs = Date.parse(object.eventTime);
    pending = {
      objectCount: pending.objectCount + 1,
      sizeBytes: pending.sizeBytes + object.sizeBytes,
      oldestMs: Math.min(pending.oldestMs ?? nowMs, Number.isNaN(eventMs) ? nowMs : eventMs),
      latestHourMs: Math.max(pending.latestHourMs ?? hourMs, hourMs),
    };
  }
  return { ...state, pending, counted: [...counted].slice(-COUNTED_MARKS) };
}

/** A start takes what waits; what arrives from now on is for the next one. */
export function withTaken(state: InboxState): InboxState {
  const taken: { -readonly [Member in keyof InboxState]: InboxState[Member] } = { ...state, pending: NOTHING_PENDING, flushAsked: false };
  delete taken.retryAtMs;
  delete taken.fault;
  return taken;
}

/** The storage was looked through until the interval's end. An inbox that is behind goes on at once. */
export function withLooked(state: InboxState, { end }: DataInterval, lookedAtMs: number, { sweepMinutes }: IngestSpec): InboxState {
  const behind = Date.parse(end) < lookedAtMs;
  return { ...state, lastEnd: end, sweepDueMs: lookedAtMs + (behind ? 0 : sweepMinutes * 60_000) };
}

/** A start that failed gives back what it had taken, and is tried again. */
export function withFault(state: InboxState, taken: Pending, fault: string, nowMs: number): InboxState {
  return { ...state, pending: merged(taken, state.pending), fault, retryAtMs: nowMs + RETRY_MS };
}

function merged(one: Pending, other: Pending): Pending {
  if (one.objectCount === 0) return other;
  if (other.objectCount === 0) return one;
  return {
    objectCount: one.objectCount + other.objectCount,
    sizeBytes: one.sizeBytes + other.sizeBytes,
    oldestMs: Math.min(one.oldestMs ?? Infinity, other.oldestMs ?? Infinity),
    latestHourMs: Math.max(one.latestHourMs ?? 0, other.latestHourMs ?? 0),
  };
}

/** Why a cycle should start now; undefined: it should not. */
export function startReason(state: InboxState, limits: IngestSpec, nowMs: number): StartReason | undefined {
  const { pending, paused, running, flushAsked, sweepDueMs, retryAtMs = 0 } = state;
  if (paused || running !== undefined || nowMs < retryAtMs) return undefined;
  if (flushAsked) return 'flush';
  if (pending.objectCount >= limits.maxObjects) return 'count';
  if (pending.sizeBytes >= limits.maxBytes) return 'bytes';
  if (pending.oldestMs !== undefined && nowMs >= pending.oldestMs + limits.maxAgeSeconds * 1_000) return 'age';
  return nowMs >= sweepDueMs ? 'sweep' : undefined;
}

/** Epoch milliseconds at which a cycle starts if nothing more arrives; undefined while one runs or the inbox is paused. */
export function nextStartMs({ pending, paused, running, sweepDueMs, retryAtMs = 0 }: InboxState, limits: IngestSpec): number | undefined {
  if (paused || running !== undefined) return undefined;
  const ageMs = pending.oldestMs === undefined ? Infinity : pending.oldestMs + limits.maxAgeSeconds * 1_000;
  return Math.max(retryAtMs, Math.min(sweepDueMs, ageMs));
}

/**
 * The next interval: it starts where the last one ended, so that none is left out, and ends now, or an interval's length later where the
 * inbox was away for longer. What waits in an hour that has hardly begun is covered.
 */
export function nextInterval({ pending, lastEnd }: InboxState, { intervalHours }: Pick<IngestDeclaration, 'intervalHours'>, nowMs: number): DataInterval {
  const lengthMs = intervalHours * HOUR_MS;
  const lastMs = lastEnd === undefined ? undefined : Date.parse(lastEnd);
  const aheadMs = (pending.latestHourMs ?? 0) + 1_000;
  const wantedMs = Math.max(Math.ceil(nowMs / 1_000) * 1_000, aheadMs <= nowMs + HOUR_AHEAD_MS ? aheadMs : 0);
  const endMs = lastMs === undefined ? wantedMs : Math.min(Math.max(wantedMs, lastMs + 1_000), lastMs + lengthMs);
  return { start: rfc3339(lastMs ?? endMs - lengthMs), end: rfc3339(endMs) };
}

export function withEnded(state: InboxState, ended: EndedInboxCycle): InboxState {
  const { running, ...rest } = state;
  return running?.workflowId === ended.workflowId ? { ...rest, ended: [ended, ...state.ended].slice(0, ENDED_CYCLES) } : state;
}

export function viewOf(pipeline: string, { pending, paused, running, ended, sweepDueMs, fault }: InboxState): InboxView {
  return {
    pipeline,
    paused,
    pending: {
      objectCount: pending.objectCount,
      sizeBytes: pending.sizeBytes,
      ...(pending.oldestMs === undefined ? {} : { oldestAt: rfc3339(pending.oldestMs) }),
    },
    ...(running === undefined ? {} : { running }),
    lastCycles: ended,
    nextSweepAt: rfc3339(sweepDueMs),
    ...(fault === undefined ? {} : { fault }),
  };
}

/** Epoch milliseconds of the hour in which an object arrived, by its key below the pipeline's prefix; undefined in no arrival partition. */
export function arrivalHourMs(prefix: string, key: string): number | undefined {
  if (!key.startsWith(prefix)) return undefined;
  const [, year, month, day, hour] = /^(\d{4})\/(\d{2})\/(\d{2})\/([01]\d|2[0-3])\//.exec(key.slice(prefix.length)) ?? [];
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:00:00Z`);
  return Number.isNaN(ms) ? undefined : ms;
}

/** Two versions with one mark are counted once: the counts only say when to look. cyrb53, since a workflow has no other hash. */
function markOf({ key, versionId, sequencer }: ArrivedObject): string {
  let [high, low] = [0xdeadbeef, 0x41c6ce57];
  for (const character of `${key}\0${versionId ?? sequencer}`) {
    const code = character.codePointAt(0) ?? 0;
    high = Math.imul(high ^ code, 2_654_435_761);
    low = Math.imul(low ^ code, 1_597_334_677);
  }
  return ((low >>> 0) * 2 ** 21 + (high >>> 11)).toString(36);
}

function rfc3339(ms: number): string {
  return toRfc3339(new Date(ms));
}
