import type { ReplayVerdict } from '../worker/replay-histories';

/** How many histories came to which verdict. */
export interface ReplaySummary {
  readonly replayed: number;
  readonly diverged: number;
  readonly broken: number;
  readonly untouched: number;
  /** Of those that replayed, how many have an activity that would be given other keys. */
  readonly otherInputs: number;
}

export function summaryOf(verdicts: readonly ReplayVerdict[]): ReplaySummary {
  const count = (verdict: ReplayVerdict['verdict']) => verdicts.filter((each) => each.verdict === verdict).length;
  return {
    replayed: count('replayed'),
    diverged: count('diverged'),
    broken: count('broken'),
    untouched: count('untouched'),
    otherInputs: verdicts.filter((each) => each.verdict === 'replayed' && each.inputDifferences.length > 0).length,
  };
}

/** A table with one row a history, then what differed, then the sum. */
export function replayText(verdicts: readonly ReplayVerdict[], strictInputs: boolean): string {
  const rows = verdicts.map(({ verdict, facts }) => [MARKS[verdict], facts.workflowId, facts.workflowType, facts.outcome, facts.builds.map(shortBuild).join(' → ') || '-', String(facts.events)]);
  const { replayed, diverged, broken, untouched, otherInputs } = summaryOf(verdicts);
  const sum =
    `${verdicts.length} histories: ${replayed} replayed, ${diverged} diverged, ${broken} broken, ${untouched} without a decision yet` +
    (strictInputs ? `, ${otherInputs} with other inputs` : '');
  return [...table([['', 'workflow', 'type', 'outcome', 'build', 'events'], ...rows]), ...verdicts.flatMap(detailsOf), sum].join('\n');
}

const MARKS: Readonly<Record<ReplayVerdict['verdict'], string>> = { replayed: '✔', diverged: '✘', broken: '✘', untouched: '·' };

function detailsOf(each: ReplayVerdict): readonly string[] {
  switch (each.verdict) {
    case 'untouched':
      return [];
    case 'replayed':
      return each.inputDifferences.map(
        ({ eventId, activity, added, removed }) =>
          `≠ ${each.facts.workflowId}: event ${eventId}, the input of ${activity}${added.length > 0 ? ` would also have ${added.join(', ')}` : ''}` +
          (removed.length > 0 ? ` would no longer have ${removed.join(', ')}` : ''),
      );
    case 'diverged':
    case 'broken':
      return [`✘ ${each.facts.workflowId}: event ${each.event}: ${each.difference}`, `  from ${each.source}`];
    default:
      return each satisfies never;
  }
}

/** What the SDK derives for an unversioned worker is its package, then a checksum of 64 digits. */
function shortBuild(build: string): string {
  return build.replace(/^@temporalio\/worker@([\d.]+)\+([0-9a-f]{8})[0-9a-f]+$/, '$2');
}

function table(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd());
}
