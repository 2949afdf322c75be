/** The readers' process: `reader-pool.ts` starts it and asks it over the IPC channel. It ends with the one who started it. */
import { connect } from './connection';
import type { ReadersAnswer, ReadersOrder, ReadersRequest } from './messages';
import { type ReadersState, readUntilStopped } from './reader';
import { ISOLATIONS, LENGTHS } from './report';
import { Tally } from './tally';
import { NewestNight } from './verdict';

const stop = new AbortController();
const tally = new Tally();
const newest = new NewestNight();
let state: ReadersState | undefined;
let readers: Promise<unknown> = Promise.resolve();

async function answer(request: ReadersRequest): Promise<Omit<ReadersAnswer, 'id'>> {
  switch (request.ask) {
    case 'start':
      await start(request.order);
      return {};
    case 'phase':
      if (state !== undefined) state.phase = request.name;
      return {};
    case 'expectEarlierNights':
      newest.expectEarlier(request.expected);
      return {};
    case 'progress':
      return { progress: tally.progress() };
    case 'report':
      stop.abort();
      await readers;
      return { report: tally.report() };
    default:
      return request satisfies never;
  }
}

async function start(order: ReadersOrder): Promise<void> {
  const probe = await connect(order);
  await probe.client.end();
  const reading: ReadersState = { order, tally, newest, stop: stop.signal, served: false, phase: undefined };
  state = reading;
  const { short, long } = order.options;
  readers = Promise.all(
    ISOLATIONS.flatMap((isolation) =>
      LENGTHS.flatMap((length) => Array.from({ length: length === 'short' ? short : long }, () => readUntilStopped(reading, isolation, length))),
    ),
  );
}

process.on('message', (request: ReadersRequest & { readonly id: number }) => {
  const send = (said: Omit<ReadersAnswer, 'id'>) => process.send?.({ ...said, id: request.id });
  void answer(request).then(send, (error: unknown) => send({ error: error instanceof Error ? error.message : String(error) }));
});
process.once('disconnect', () => process.exit(0));
