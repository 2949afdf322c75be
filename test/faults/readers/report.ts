/** What readers can be: each combination of isolation and length has readers of its own. */
export const ISOLATIONS = ['read committed', 'repeatable read'] as const;
export type Isolation = (typeof ISOLATIONS)[number];
/** `long`: a statement or a transaction that takes `longMs`, 4 s unless said. */
export const LENGTHS = ['short', 'long'] as const;
export type Length = (typeof LENGTHS)[number];

/** What the readers of one isolation and length saw. */
export interface ReadCounts {
  /** All that were tried while the views existed, faulty ones included, those that met a stopped server left out. */
  readonly reads: number;
  readonly failed: number;
  readonly empty: number;
  readonly mixed: number;
  readonly stale: number;
  /** Distinct nights. */
  readonly nightsSeen: number;
  /** Longest statement of a read, from sending to its answer; sleep that it asked for left out. */
  readonly longestMs: number;
  readonly medianMs: number;
  readonly p99Ms: number;
}

/** By isolation and length. */
export type CountsByKind = Readonly<Record<Isolation, Readonly<Record<Length, ReadCounts>>>>;

/** All readers together. */
export type TotalCounts = ReadCounts & { readonly failedWhileDown: number };

/** One read that broke a promise. */
export interface Violation {
  /** RFC 3339, when the read began. */
  readonly at: string;
  readonly fault: 'failed' | 'empty' | 'mixed' | 'stale';
  readonly isolation: Isolation;
  readonly length: Length;
  /** How it read, e.g. `prepared statement`. */
  readonly form: string;
  /** What each view said, or the error. */
  readonly saw: string;
}

/** What a pool of readers saw from its start to its report. */
export interface ReadersReport {
  readonly counts: CountsByKind;
  readonly total: TotalCounts;
  /** By the names given to `phase`; a read that touches two of them counts for the one that was named last. */
  readonly phases: Readonly<Record<string, { readonly counts: CountsByKind; readonly total: TotalCounts }>>;
  /** Tries that met a PostgreSQL that was down or restarting, refused connections included. */
  readonly failedWhileDown: number;
  /** The first 20. */
  readonly violations: readonly Violation[];
}

/** What a pool is to do. */
export interface ReaderOptions {
  /** Connections of each isolation whose reads are short; 2 unless said. */
  readonly short?: number;
  /** Connections of each isolation whose reads take `longMs`; 1 unless said. */
  readonly long?: number;
  /** Of each short reader; `max` leaves no pause. 20 unless said. */
  readonly readsPerSecond?: number | 'max';
  /** How long a long statement or transaction takes, milliseconds; 4,000 unless said. */
  readonly longMs?: number;
  /** The longest pause of a long reader between two reads, milliseconds; drawn anew each time. 2,000 unless said. */
  readonly longPauseMs?: number;
}
