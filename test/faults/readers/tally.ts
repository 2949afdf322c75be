import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { ReadersProgress } from './messages';
import { type CountsByKind, type Isolation, ISOLATIONS, type Length, LENGTHS, type ReadCounts, type ReadersReport, type TotalCounts, type Violation } from './report';

/** What a reader has to say of one read. */
export interface ReadNote {
  readonly isolation: Isolation;
  readonly length: Length;
  readonly form: string;
  readonly startedAtMs: number;
  readonly longestMs: number;
  readonly phase: string | undefined;
  /** The night, when it saw one whole version. */
  readonly night?: string;
  readonly fault?: { readonly kind: Violation['fault']; readonly saw: string };
}

const FIRST_VIOLATIONS = 20;

/** Counts what readers note; memory stays the same however many reads. */
export class Tally {
  readonly #all = new Counters();
  readonly #phases = new Map<string, Counters>();
  readonly #violations: Violation[] = [];

  note(read: ReadNote): void {
    this.#all.note(read);
    if (read.phase !== undefined) this.#phase(read.phase).note(read);
    const { fault, isolation, length, form } = read;
    if (fault === undefined || this.#violations.length === FIRST_VIOLATIONS) return;
    this.#violations.push({ at: new Date(read.startedAtMs).toISOString(), fault: fault.kind, isolation, length, form, saw: fault.saw });
  }

  noteDown(phase: string | undefined): void {
    this.#all.failedWhileDown += 1;
    if (phase !== undefined) this.#phase(phase).failedWhileDown += 1;
  }

  progress(): ReadersProgress {
    const { reads, failed, empty, mixed, stale, failedWhileDown } = this.#all.total();
    return { reads, violations: failed + empty + mixed + stale, failedWhileDown };
  }

  report(): ReadersReport {
    const of = (counters: Counters) => ({ counts: counters.byKind(), total: counters.total() });
    return {
      ...of(this.#all),
      phases: Object.fromEntries([...this.#phases].map(([name, counters]) => [name, of(counters)])),
      failedWhileDown: this.#all.failedWhileDown,
      violations: this.#violations,
    };
  }

  #phase(name: string): Counters {
    const known = this.#phases.get(name) ?? new Counters();
    this.#phases.set(name, known);
    return known;
  }
}

class Counters {
  failedWhileDown = 0;
  readonly #total = new Counter();
  readonly #kinds = new Map(ISOLATIONS.flatMap((isolation) => LENGTHS.map((length) => [`${isolation} ${length}`, new Counter()])));

  note(read: ReadNote): void {
    this.#total.note(read);
    this.#kinds.get(`${read.isolation} ${read.length}`)?.note(read);
  }

  total(): TotalCounts {
    return { ...this.#total.counts(), failedWhileDown: this.failedWhileDown };
  }

  byKind(): CountsByKind {
    const counts = (isolation: Isolation, length: Length) => (this.#kinds.get(`${isolation} ${length}`) ?? new Counter()).counts();
    const lengths = (isolation: Isolation) => ({ short: counts(isolation, 'short'), long: counts(isolation, 'long') });
    return { 'read committed': lengths('read committed'), 'repeatable read': lengths('repeatable read') };
  }
}

class Counter {
  #reads = 0;
  #longestMs = 0;
  readonly #faults = { failed: 0, empty: 0, mixed: 0, stale: 0 };
  readonly #nights = new Set<string>();
  readonly #microseconds: RecordableHistogram = createHistogram({ figures: 3 });

  note({ longestMs, night, fault }: ReadNote): void {
    this.#reads += 1;
    this.#longestMs = Math.max(this.#longestMs, longestMs);
    this.#microseconds.record(Math.max(1, Math.round(longestMs * 1_000)));
    if (night !== undefined) this.#nights.add(night);
    if (fault !== undefined) this.#faults[fault.kind] += 1;
  }

  counts(): ReadCounts {
    const percentileMs = (percentile: number) => (this.#reads === 0 ? 0 : this.#microseconds.percentile(percentile) / 1_000);
    return {
      reads: this.#reads,
      ...this.#faults,
      nightsSeen: this.#nights.size,
      longestMs: Math.round(this.#longestMs * 1_000) / 1_000,
      medianMs: percentileMs(50),
      p99Ms: percentileMs(99),
    };
  }
}
