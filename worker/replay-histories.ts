import { setTimeout as sleep } from 'node:timers/promises';
import type { History } from '@temporalio/common/lib/proto-utils';
import { type ReplayHistoriesIterable, type ReplayResult, type ReplayWorkerOptions, Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { eventName, type HistoryFacts, historyFacts } from './history-facts';
import { type InputDifference, InputRecorder } from './replayed-inputs';

/** A history and where it was found. */
export interface FoundHistory {
  readonly source: string;
  readonly history: History;
}

/** What became of one history under today's code. */
export type ReplayVerdict = {
  readonly source: string;
  readonly facts: HistoryFacts;
} & (
  | { readonly verdict: 'replayed'; readonly inputDifferences: readonly InputDifference[] }
  /** No worker decided anything in it. */
  | { readonly verdict: 'untouched' }
  | {
      /** `broken`: the code, or the reading of a payload, failed on the way. */
      readonly verdict: 'diverged' | 'broken';
      /** The first event that today's code does not make. */
      readonly eventId: number;
      readonly event: string;
      /** What happened instead, in the SDK's words. */
      readonly difference: string;
    }
);

/** A history of 50,000 events replays in seconds; a workflow that never yields must not hold the gate for ever. */
const LIMIT_MS = 5 * 60_000;

/**
 * Replays histories one after another: each decision that was recorded is asked of today's code again.
 * @param options - the bundle, and the data converter that decrypts the payloads
 * @param compareInputs - whether the bundle has `SCHEDULED_INPUTS_MODULE`, and activities' inputs are compared too
 * @throws Error for what is no history, or does not come to an end; it names the source
 */
export async function* replayHistories(
  options: ReplayWorkerOptions,
  found: AsyncIterable<FoundHistory> | Iterable<FoundHistory>,
  compareInputs = false,
): AsyncGenerator<ReplayVerdict> {
  const recorder = new InputRecorder();
  const taken: (FoundHistory & { readonly facts: HistoryFacts })[] = [];
  async function* replayable() {
    for await (const each of found) {
      const facts = factsOf(each);
      taken.push({ ...each, facts });
      recorder.clear();
      if (!facts.untouched) yield { workflowId: facts.workflowId, history: each.history };
    }
  }
  const replay = new Replay({ ...options, sinks: recorder.sinks }, replayable());
  try {
    for (;;) {
      const result = await replay.next(() => taken.at(-1)?.source ?? 'the first history');
      for (const { source, history, facts } of taken.splice(0)) {
        if (facts.untouched) yield { source, facts, verdict: 'untouched' };
        else if (result?.error !== undefined) {
          const verdict = result.error instanceof DeterminismViolationError ? 'diverged' : 'broken';
          yield { source, facts, verdict, ...(await divergence(options, source, history, facts)), difference: inWords(result.error) };
        } else {
          yield { source, facts, verdict: 'replayed', inputDifferences: compareInputs ? await recorder.differences(history, options.dataConverter) : [] };
        }
      }
      if (result === undefined) return;
    }
  } finally {
    await replay.close();
  }
}

/** The SDK's replay of one history after another, each bounded. */
class Replay {
  private readonly results: AsyncIterableIterator<ReplayResult>;
  private stuck = false;

  constructor(options: ReplayWorkerOptions, histories: ReplayHistoriesIterable) {
    this.results = Worker.runReplayHistories(options, histories);
  }

  /** @returns undefined after the last one */
  async next(source: () => string): Promise<ReplayResult | undefined> {
    const timer = new AbortController();
    const late = sleep(LIMIT_MS, undefined, { signal: timer.signal }).then(() => {
      this.stuck = true;
      throw new Error(`${source()}: the replay did not end within ${LIMIT_MS / 60_000} minutes: does the workflow loop without waiting?`);
    });
    try {
      const result = await Promise.race([this.results.next(), late]);
      return result.done === true ? undefined : result.value;
    } finally {
      late.catch(() => undefined);
      timer.abort();
    }
  }

  /** Also where nobody asked for the rest. What is stuck would not hear of it. */
  async close(): Promise<void> {
    if (!this.stuck) await this.results.return?.();
  }
}

/** Temporal's native replayer ends the whole process on a history without a beginning. */
function factsOf({ source, history }: FoundHistory): HistoryFacts {
  try {
    return historyFacts(history);
  } catch (error) {
    throw new Error(`${source}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** The SDK does not say where: the shortest beginning of the history that fails ends with the event that the code does not make. */
async function divergence(
  options: ReplayWorkerOptions,
  source: string,
  history: History,
  { workflowId }: HistoryFacts,
): Promise<{ readonly eventId: number; readonly event: string }> {
  const events = history.events ?? [];
  let fails = events.length;
  let passes = 1;
  let middle = 1;
  function* beginnings() {
    while (fails - passes > 1) {
      middle = Math.floor((passes + fails) / 2);
      yield { workflowId, history: { events: events.slice(0, middle) } };
    }
  }
  const replay = new Replay({ ...options, sinks: new InputRecorder().sinks }, beginnings());
  for (let result = await replay.next(() => source); result !== undefined; result = await replay.next(() => source)) {
    if (result.error === undefined) passes = middle;
    else fails = middle;
  }
  const event = events[fails - 1] ?? {};
  return { eventId: Number(event.eventId ?? fails), event: eventName(event) };
}

/** The SDK wraps the sentence in a dump of its failure. */
function inWords({ message }: Error): string {
  const inner = /message: "((?:[^"\\]|\\.)*)"/.exec(message)?.[1];
  return (inner?.replaceAll('\\"', '"') ?? message).replace(/^\[TMPRL\d+\] /, '').replace(/^Nondeterminism error: /, '');
}
