import { type CycleOutcome, type CycleRef, cycleId, generationPrefix } from './cycle';
import type { SparkUsage } from './spark-usage';

/** What people are told of: how a cycle ended, that one waits for a decision, and that a person rolled back. */
export interface AnnounceOutcomeInput {
  /** Of a rollback: the cycle that is served again. */
  readonly cycle: CycleRef;
  readonly outcome: CycleOutcome | 'held' | 'reminder' | 'rolled-back';
  /** Of a rollback: its promotion sequence, who did it, and whether it holds later promotions. */
  readonly sequence?: number;
  readonly by?: string;
  readonly held?: boolean;
  /** Which reminder, from 1. */
  readonly reminder?: number;
  /** Of a held cycle: when the declaration decides, RFC 3339. */
  readonly until?: string;
  readonly reason?: string;
  /** Metric name → count, e.g. `RecordsStored`. */
  readonly counts: Readonly<Record<string, number>>;
  /** Rows by view, of a cycle that was promoted. */
  readonly served?: Readonly<Record<string, number>>;
  /** How long each stage took, of a cycle that ended. */
  readonly seconds?: Readonly<Record<string, number>>;
  /** What the cycle's job is billed by, where it had one. */
  readonly spark?: SparkUsage;
}

/** An outcome in words, before it is laid out for one way of telling it. */
export interface Announcement {
  readonly outcomeId: string;
  readonly pipeline: string;
  readonly outcome: AnnounceOutcomeInput['outcome'];
  /** `mobile-geolocation: rejected by its quality gate`: for a subject line. */
  readonly title: string;
  /** What happened, one sentence. */
  readonly sentence: string;
  readonly why?: string;
  readonly facts: readonly Fact[];
  /** What to do next, as lines that work when pasted. */
  readonly next: readonly Step[];
}

export interface Fact {
  readonly name: string;
  readonly value: string;
}

export interface Step {
  readonly what: string;
  readonly command: string;
}

const LONGEST_REASON = 2_000;
const CONTROL = /[\p{Cc}\p{Surrogate}]+/gu;

/** The id under which an outcome is told once (I9). */
export function outcomeIdOf({ cycle, outcome, reminder, sequence }: AnnounceOutcomeInput): string {
  if (outcome === 'rolled-back') return `${cycle.pipeline}/rollback/${sequence}`;
  return [generationPrefix(cycle), outcome, ...(reminder === undefined ? [] : [reminder])].join('/');
}

/** `CyclePromoted`, `CycleRolledBack`: the metric that counts an outcome. */
export function outcomeMetric(outcome: AnnounceOutcomeInput['outcome']): string {
  return `Cycle${outcome
    .split('-')
    .map((word) => `${word[0]?.toUpperCase() ?? ''}${word.slice(1)}`)
    .join('')}`;
}

/** What is said of an outcome. It carries counts and the reason that the cycle's record has, no record's values. */
export function announcementOf(input: AnnounceOutcomeInput): Announcement {
  const { cycle } = input;
  const why = plain(input.reason ?? '', LONGEST_REASON);
  const { title, sentence, next } = said(input);
  return {
    outcomeId: outcomeIdOf(input),
    pipeline: cycle.pipeline,
    outcome: input.outcome,
    title: `${cycle.pipeline}: ${title}`,
    sentence,
    ...(why === '' ? {} : { why }),
    facts: factsOf(input),
    next,
  };
}

/** What to do next, as the announcement of the outcome says it. */
export function nextSteps(input: AnnounceOutcomeInput): readonly Step[] {
  return said(input).next;
}

/** One line of printable text, no longer than `longest` UTF-16 units. */
export function plain(text: string, longest: number): string {
  const line = text.replace(CONTROL, ' ').trim();
  return line.length <= longest ? line : `${line.slice(0, longest - 1).replace(/\p{Surrogate}$/u, '')}…`;
}

/** `2018-08-02 00:00 UTC`, of an instant in RFC 3339. */
export function utcMinute(instant: string): string {
  return `${instant.slice(0, 10)} ${instant.slice(11, 16)} UTC`;
}

function said(input: AnnounceOutcomeInput): Pick<Announcement, 'title' | 'sentence' | 'next'> {
  const { cycle, outcome } = input;
  const name = `${cycle.pipeline} ${cycle.intervalEnd}`;
  const until = utcMinute(cycle.intervalEnd);
  const deadline = input.until === undefined ? 'its deadline' : utcMinute(input.until);
  const show = { what: 'see its stages', command: `npx meridian cycles show ${name}` };
  const rerun = { what: 'run it again', command: `npx meridian rerun ${name} --reason "..."` };
  const decide = [
    { what: 'promote it all the same', command: `npx meridian approve ${name} --reason "..."` },
    { what: 'reject it', command: `npx meridian reject ${name} --reason "..."` },
  ];
  switch (outcome) {
    case 'promoted':
      return { title: 'promoted', sentence: `The cycle until ${until} is promoted: readers see it.`, next: [show, ...viewSteps(Object.keys(input.served ?? {}))] };
    case 'empty':
      return { title: 'nothing new', sentence: `The cycle until ${until} had nothing new to promote: the earlier version goes on serving.`, next: [show] };
    case 'rejected':
      return {
        title: 'rejected',
        sentence: `The cycle until ${until} is rejected: nothing of it is served, its raw objects are set aside.`,
        next: [
          { what: 'read its objects again', command: rerun.command },
          { what: 'never read them', command: `npx meridian discard ${name} --reason "..."` },
        ],
      };
    case 'blocked':
      return {
        title: 'blocked',
        sentence: `The cycle until ${until} passed its gate, but could not be promoted: the earlier version goes on serving, what it stored is kept.`,
        next: [{ what: 'promote it once nothing stands in the way', command: `npx meridian rerun ${name} --from load --reason "..."` }, show],
      };
    case 'failed':
      return {
        title: 'failed',
        sentence: `The cycle until ${until} failed: nothing of it is served, the next cycle reads its objects again.`,
        next: [{ what: "see its job's log", command: `npx meridian logs ${name}` }, show, rerun],
      };
    case 'cancelled':
      return { title: 'cancelled', sentence: `The cycle until ${until} was cancelled: nothing of it is served, the next cycle reads its objects again.`, next: [rerun] };
    case 'held':
      return {
        title: `held for a decision until ${deadline}`,
        sentence: `Rules failed in the cycle until ${until}: it waits until ${deadline} for a person's decision, then its declaration decides.`,
        next: decide,
      };
    case 'reminder':
      return {
        title: `still held, until ${deadline}`,
        sentence: `The cycle until ${until} still waits for a person's decision (reminder ${input.reminder ?? 1}); at ${deadline} its declaration decides.`,
        next: decide,
      };
    case 'rolled-back':
      return {
        title: `rolled back by ${plain(input.by ?? 'somebody', 100)}`,
        sentence:
          `${plain(input.by ?? 'Somebody', 100)} rolled back: readers see the cycle until ${until} again (promotion ${input.sequence}).` +
          (input.held === true ? ' No cycle promotes until somebody says to go on.' : ''),
        next: rollbackSteps(input),
      };
  }
  return outcome satisfies never;
}

function viewSteps([view]: readonly string[]): readonly Step[] {
  return view === undefined ? [] : [{ what: 'bring the earlier version back, should it be wrong', command: `npx meridian rollback ${view} --reason "..."` }];
}

const ROWS = 'Rows_';

function rollbackSteps({ counts, held }: AnnounceOutcomeInput): readonly Step[] {
  const relation = Object.keys(counts).find((name) => name.startsWith(ROWS))?.slice(ROWS.length);
  if (relation === undefined) return [];
  return [
    { what: 'see what is served', command: `npx meridian versions ${relation}` },
    ...(held === true ? [{ what: 'let cycles promote again', command: `npx meridian rollback ${relation} --continue` }] : []),
  ];
}

function factsOf({ cycle, counts, served = {} }: AnnounceOutcomeInput): readonly Fact[] {
  const { RecordsRead: read, RecordsStored: stored, RecordsDuplicate: duplicates, RecordsQuarantined: quarantined } = counts;
  const rows = Object.entries(counts).filter(([name]) => name.startsWith(ROWS)).map(([name, count]) => [name.slice(ROWS.length), count] as const);
  return [
    { name: 'Interval', value: `${utcMinute(cycle.intervalStart)} to ${utcMinute(cycle.intervalEnd)}` },
    { name: 'Cycle', value: `${cycleId(cycle)}, generation ${cycle.generation}` },
    ...(read === undefined
      ? []
      : [{ name: 'Records', value: `read ${read} = stored ${stored ?? 0} + duplicates ${duplicates ?? 0} + quarantined ${quarantined ?? 0}` }]),
    ...[...Object.entries(served), ...rows].map(([name, count]) => ({ name: `Served by ${name}`, value: `${count} rows` })),
  ];
}
