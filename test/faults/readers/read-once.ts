import type { Client } from 'pg';
import type { ReadForm, Seen } from './read-forms';
import type { Isolation, Length } from './report';
import { serverStateBy } from './server-loss';
import type { ReadNote } from './tally';
import type { ReadersState } from './reader';
import { describeSeen, faultOf, type NewestNight, type NightMark } from './verdict';

/** Of one reader. */
export interface Kind {
  readonly isolation: Isolation;
  readonly length: Length;
}

/** `unusable`: noted, but the connection is of no more use. `broken`: not noted, since whose fault it was is not known yet. */
export type Outcome = 'good' | 'unusable' | { readonly broken: ReadNote };

/** Reads once and notes it, unless the connection broke. Never throws. */
export async function readOnce(state: ReadersState, kind: Kind, client: Client, form: ReadForm): Promise<Outcome> {
  const startedAtMs = Date.now();
  const mark = state.newest.begin();
  let longestMs = 0;
  const timed = async <T>(statement: () => Promise<T>, sleepMs = 0): Promise<T> => {
    const before = performance.now();
    try {
      return await statement();
    } finally {
      longestMs = Math.max(longestMs, performance.now() - before - sleepMs);
    }
  };
  const noteOf = (more: Partial<ReadNote>): ReadNote => ({ ...kind, form: form.name, startedAtMs, longestMs, phase: state.phase, ...more });
  try {
    const seen = await form.read({ client, timed, stop: state.stop });
    state.tally.note(noteOf(judge(state.newest, mark, kind.isolation, seen)));
    return 'good';
  } catch (error) {
    const note = noteOf({ fault: { kind: 'failed', saw: describeError(error) } });
    const server = serverStateBy(error);
    if (server === 'down') state.tally.noteDown(state.phase);
    if (server === 'lost') return { broken: note };
    if (server === 'up') state.tally.note(note);
    const rolledBack = await client.query('rollback').then(
      () => true,
      () => false,
    );
    return rolledBack ? 'good' : 'unusable';
  }
}

/** Each statement of a READ COMMITTED transaction may be a later night than the one before; of REPEATABLE READ all are one. */
function judge(newest: NewestNight, mark: NightMark, isolation: Isolation, statements: readonly Seen[]): Pick<ReadNote, 'night' | 'fault'> {
  let least = newest.before(mark);
  let night: string | undefined;
  for (const seen of statements) {
    const moved = isolation === 'repeatable read' && night !== undefined && seen.points.last !== night;
    const fault = faultOf(seen, least) ?? (moved ? 'mixed' : undefined);
    if (fault !== undefined) return { fault: { kind: fault, saw: describeSeen(seen) + (least === undefined ? '' : `; after ${least} was seen`) } };
    night = seen.points.last ?? undefined;
    if (night !== undefined && newest.holds(mark)) least = night;
  }
  if (night !== undefined) newest.saw(mark, night);
  return night === undefined ? {} : { night };
}

/** For whoever reads a violation. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as Error & { readonly code?: unknown };
  return typeof code === 'string' ? `${error.message} [code=${code}]` : error.message;
}
