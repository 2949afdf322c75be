import { setTimeout as sleep } from 'node:timers/promises';
import { close, connect, type Connection, viewsExist } from './connection';
import type { ReadersOrder } from './messages';
import { readForms } from './read-forms';
import { describeError, type Kind, readOnce } from './read-once';
import type { Isolation, Length } from './report';
import { serverStateBy } from './server-loss';
import type { ReadNote, Tally } from './tally';
import type { NewestNight } from './verdict';

/** What the readers of a process share. */
export interface ReadersState {
  readonly order: ReadersOrder;
  readonly tally: Tally;
  readonly newest: NewestNight;
  readonly stop: AbortSignal;
  /** Both views have been there: from now on a missing one is a failed read. */
  served: boolean;
  phase: string | undefined;
}

const RECONNECT_PAUSE_MS = 100;

/** Reads by turns in the forms of its kind until it is told to stop; never throws. */
export async function readUntilStopped(state: ReadersState, isolation: Isolation, length: Length): Promise<void> {
  const { order, stop } = state;
  const forms = readForms(isolation, length, order);
  let connection: Connection | undefined;
  /** A read whose connection broke: the server's fault or the product's, which only the next connection tells. */
  let broken: { readonly note: ReadNote; readonly identity: string } | undefined;
  for (let turn = 0; !stop.aborted || broken !== undefined; ) {
    const began = performance.now();
    try {
      connection ??= await connect(order);
    } catch (error) {
      if (broken !== undefined && serverStateBy(error) !== 'up') state.tally.noteDown(broken.note.phase);
      else if (broken !== undefined) state.tally.note(broken.note);
      else noteNoConnection(state, { isolation, length }, error);
      broken = undefined;
      await pause(RECONNECT_PAUSE_MS, stop);
      continue;
    }
    if (broken !== undefined) {
      if (broken.identity !== connection.identity) state.tally.noteDown(broken.note.phase);
      else state.tally.note(broken.note);
      broken = undefined;
      continue;
    }
    const { client } = connection;
    try {
      state.served ||= await viewsExist(client, order);
    } catch {
      connection = await close(connection);
      continue;
    }
    if (state.served) {
      const form = forms[turn % forms.length];
      turn += 1;
      const outcome = form === undefined ? 'good' : await readOnce(state, { isolation, length }, client, form);
      if (outcome !== 'good') {
        if (typeof outcome === 'object') broken = { note: outcome.broken, identity: connection.identity };
        connection = await close(connection);
        continue;
      }
    }
    await pause(state.served ? pauseMs(length, order, performance.now() - began) : RECONNECT_PAUSE_MS, stop);
  }
  await close(connection);
}

function noteNoConnection(state: ReadersState, kind: Kind, error: unknown): void {
  if (serverStateBy(error) !== 'up') state.tally.noteDown(state.phase);
  else if (state.served) {
    state.tally.note({ ...kind, form: 'connection', startedAtMs: Date.now(), longestMs: 0, phase: state.phase, fault: { kind: 'failed', saw: describeError(error) } });
  }
}

function pauseMs(length: Length, { options }: ReadersOrder, tookMs: number): number {
  if (length === 'long') return Math.random() * options.longPauseMs;
  return options.readsPerSecond === 'max' ? 0 : Math.max(0, (1_000 / options.readsPerSecond) * (0.5 + Math.random()) - tookMs);
}

async function pause(milliseconds: number, stop: AbortSignal): Promise<void> {
  if (milliseconds > 0) await sleep(milliseconds, undefined, { signal: stop }).catch(() => undefined);
}
