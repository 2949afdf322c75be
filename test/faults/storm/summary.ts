import { type CountsByKind, type Isolation, ISOLATIONS, type Length, LENGTHS, type TotalCounts, type Violation } from '../readers/report';
import type { StormNight } from './nights';
import type { StormPart } from './part';

/** The longest wait that a promotion may add to a reader's (X2). */
export const ADDED_WAIT_LIMIT_MS = 250;

type Spread = { readonly median: number; readonly p99: number; readonly most: number };

interface PartSummary {
  readonly name: StormPart['name'];
  readonly promotions: number;
  readonly blocked: number;
  readonly seconds: { readonly promoting: number; readonly quiet: number };
  readonly swapAttempts: Spread;
  readonly swapMs: Spread;
  readonly snapshotWaitMs: Spread;
  readonly cycleMs: Spread;
  /** Longest wait while promoting less the longest while quiet. */
  readonly addedWaitMs: number;
  readonly promoting: Waits;
  readonly quiet: Waits;
}
interface Waits {
  readonly reads: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly longestMs: number;
  readonly byKind: CountsByKind;
}

/** What the storm prints. */
export interface StormSummary {
  readonly promotions: number;
  readonly blocked: number;
  readonly swapAttempts: number;
  /** Of all parts and phases. */
  readonly reads: number;
  readonly readsWhilePromoting: number;
  readonly readsByKind: Readonly<Record<Isolation, Readonly<Record<Length, number>>>>;
  readonly failed: number;
  readonly empty: number;
  readonly mixed: number;
  readonly stale: number;
  readonly longestMs: number;
  readonly addedWaitMs: number;
  readonly p99Ms: { readonly quiet: number; readonly promoting: number };
  readonly seconds: number;
  /** No faulty read, no blocked promotion, every promotion that was asked for, and no added wait beyond the limit. */
  readonly passed: boolean;
  readonly parts: readonly PartSummary[];
  readonly violations: readonly Violation[];
}

/** @param asked - promotions that were to be made */
export function summarise(parts: readonly StormPart[], asked: number, seconds: number): StormSummary {
  const summaries = parts.map(summarisePart);
  const sum = (of: (part: StormPart) => number) => parts.reduce((total, part) => total + of(part), 0);
  const fault = (kind: 'failed' | 'empty' | 'mixed' | 'stale') => sum(({ report }) => report.total[kind]);
  // Nobody stops the server during a storm: a connection that broke is a failed read.
  const faults = { failed: fault('failed') + sum(({ report }) => report.failedWhileDown), empty: fault('empty'), mixed: fault('mixed'), stale: fault('stale') };
  const promotions = summaries.reduce((total, part) => total + part.promotions, 0);
  const blocked = summaries.reduce((total, part) => total + part.blocked, 0);
  const addedWaitMs = Math.max(...summaries.map((part) => part.addedWaitMs));
  return {
    promotions,
    blocked,
    swapAttempts: sum(({ nights }) => nights.reduce((total, night) => total + night.attempts, 0)),
    reads: sum(({ report }) => report.total.reads),
    readsWhilePromoting: summaries.reduce((total, part) => total + part.promoting.reads, 0),
    readsByKind: byKind((isolation, length) => sum(({ report }) => report.counts[isolation][length].reads)),
    ...faults,
    longestMs: Math.max(...parts.map(({ report }) => report.total.longestMs)),
    addedWaitMs,
    p99Ms: {
      quiet: Math.max(...summaries.map((part) => part.quiet.p99Ms)),
      promoting: Math.max(...summaries.map((part) => part.promoting.p99Ms)),
    },
    seconds: Math.round(seconds),
    passed: Object.values(faults).every((count) => count === 0) && blocked === 0 && promotions >= asked && addedWaitMs <= ADDED_WAIT_LIMIT_MS,
    parts: summaries,
    violations: parts.flatMap(({ report }) => report.violations),
  };
}

function summarisePart({ name, nights, promotingSeconds, quietSeconds, report }: StormPart): PartSummary {
  const promoting = waitsOf(report.phases['promoting']);
  const quiet = waitsOf(report.phases['quiet']);
  const spread = (of: (night: StormNight) => number) => spreadOf(nights.map(of));
  return {
    name,
    promotions: nights.filter(({ outcome }) => outcome === 'promoted').length,
    blocked: nights.filter(({ outcome }) => outcome === 'blocked').length,
    seconds: { promoting: Math.round(promotingSeconds), quiet: Math.round(quietSeconds) },
    swapAttempts: spread((night) => night.attempts),
    swapMs: spread((night) => night.swapMs),
    snapshotWaitMs: spread((night) => night.snapshotWaitMs),
    cycleMs: spread((night) => night.tookMs),
    addedWaitMs: round(promoting.longestMs - quiet.longestMs),
    promoting,
    quiet,
  };
}

function waitsOf(phase: { readonly counts: CountsByKind; readonly total: TotalCounts } | undefined): Waits {
  if (phase === undefined) throw new Error('The storm ended before it had a phase of promotions and a quiet one');
  const { reads, medianMs, p99Ms, longestMs } = phase.total;
  return { reads, p50Ms: medianMs, p99Ms, longestMs, byKind: phase.counts };
}

function byKind(of: (isolation: Isolation, length: Length) => number): StormSummary['readsByKind'] {
  return Object.fromEntries(ISOLATIONS.map((isolation) => [isolation, Object.fromEntries(LENGTHS.map((length) => [length, of(isolation, length)]))])) as StormSummary['readsByKind'];
}

function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number) => round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  return { median: at(0.5), p99: at(0.99), most: at(1) };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
