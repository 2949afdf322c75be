import type { Seen } from './read-forms';

/** What was wrong with what a read saw; stale is judged by the newest night that was seen before the read began. */
export function faultOf({ points, totals }: Seen, newestBefore: string | undefined): 'empty' | 'mixed' | 'stale' | undefined {
  if (points.rows === 0 || totals.rows === 0) return 'empty';
  const nights = new Set([points.first, points.last, totals.first, totals.last]);
  if (nights.size !== 1 || points.rows !== totals.records) return 'mixed';
  // One format throughout, which sorts as its instants do.
  if (newestBefore !== undefined && (points.last ?? '') < newestBefore) return 'stale';
  return undefined;
}

/** For whoever reads a violation. */
export function describeSeen({ points, totals }: Seen): string {
  const range = ({ first, last }: { readonly first: string | null; readonly last: string | null }) => (first === last ? String(first) : `${first} to ${last}`);
  return `${points.rows} points of ${range(points)}; totals: ${totals.rows} rows, ${totals.records} records of ${range(totals)}`;
}

/**
 * The newest night that any reader of the process has seen: whoever begins to read after that must not see an earlier one. The
 * readers share it, since a commit is visible to all snapshots that are taken after it was visible to one.
 */
export class NewestNight {
  #newest: string | undefined;
  #suspended = false;
  #era = 0;

  /** At the beginning of a read. @returns what `judge` is to be given at its end */
  begin(): NightMark {
    return { era: this.#era, newest: this.#newest };
  }

  /** The newest night before that read, unless an earlier one is allowed since. */
  before(mark: NightMark): string | undefined {
    return this.holds(mark) ? mark.newest : undefined;
  }

  /** Whether nights may only grow, since that read began and now. */
  holds({ era }: NightMark): boolean {
    return era === this.#era && !this.#suspended;
  }

  /** At the end of a read that saw one whole version. */
  saw(mark: NightMark, night: string): void {
    if (this.holds(mark) && (this.#newest === undefined || night > this.#newest)) this.#newest = night;
  }

  /** While earlier nights are expected nothing is stale; afterwards it begins anew, for reads that begin then. */
  expectEarlier(expected: boolean): void {
    this.#suspended = expected;
    this.#era += 1;
    this.#newest = undefined;
  }
}

export interface NightMark {
  readonly era: number;
  readonly newest: string | undefined;
}
