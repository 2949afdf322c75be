import { setTimeout as sleep } from 'node:timers/promises';
import {
  type AwsFault,
  brokenBody,
  corruptBody,
  cutBefore,
  failedAfterEffect,
  lostResponse,
  meanwhile,
  refusedWith,
  silent,
  stalledBody,
  transactionConflict,
  truncatedBody,
  unprocessedItems,
  wrongEtag,
} from '../engines/aws-faults';
import type { Part } from '../engines/engines';
import type { NightOutcome } from '../lab';
import type { Point } from './points';
import { resetToLastTask } from './reset';
import type { Fault, Moment, Scene } from './scene';

const PASSING: readonly NightOutcome[] = ['promoted'];
const SOON_MS = 30;
/** Longer than the pipelines' heartbeat time-out: a second worker has the step by then. */
const FROZEN_MS = 9_000;
const AWAY_MS = 4_000;

/** Something in an answer of AWS. */
function inAnswer(id: string, act: AwsFault, times = 1): Fault {
  return {
    id,
    outcomes: PASSING,
    arm: ({ lab }, point, from) => lab.engines.aws.arm({ matches: matcherOf(lab.engines.env, point), from, times, act }),
  };
}

/** Something that happens to the world at a moment of a call, whoever is called. */
export function at(id: string, moment: Moment, during: (scene: Scene) => Promise<void>, outcomes = PASSING): Fault {
  return { id, moment, outcomes, arm: (scene, point, from) => strike(scene, point, from, moment, () => during(scene)) };
}

/** Something that breaks the connection to PostgreSQL with it. */
function onConnection(id: string, moment: 'before' | 'after', during?: (scene: Scene) => Promise<void>): Fault {
  return {
    id,
    moment,
    outcomes: PASSING,
    arm: (scene, point, from) => {
      if (point.kind !== 'sql') throw new TypeError(`${id} needs a statement, found ${point.id}`);
      const act = async (connection: { cut(): void }) => {
        connection.cut();
        await during?.(scene);
      };
      return scene.lab.engines.postgres.arm({ ...point, moment, from, times: 1, act });
    },
  };
}

function strike({ lab, beside }: Scene, point: Point, from: number, moment: Moment, during: () => Promise<void>): () => number {
  if (point.kind === 'aws') {
    return lab.engines.aws.arm({ matches: matcherOf(lab.engines.env, point), from, times: 1, act: meanwhile(moment, during) });
  }
  const soon = async () => {
    beside(sleep(SOON_MS).then(during));
  };
  return lab.engines.postgres.arm({ ...point, moment: moment === 'before' ? 'before' : 'after', from, times: 1, act: moment === 'acknowledged' ? soon : during });
}

function matcherOf(env: Readonly<Record<string, string>>, point: Point) {
  if (point.kind !== 'aws') throw new TypeError(`An answer of AWS was expected, found the statement "${point.id}"`);
  return (call: Parameters<typeof point.matches>[0]) => point.matches(call, env);
}

/** The part is gone at once; soon it comes back, with what it had saved. */
async function failAndRepair({ lab, beside }: Scene, part: Part): Promise<void> {
  await lab.engines.fail(part);
  beside(lab.engines.repair());
}

export const MOMENTS: readonly Moment[] = ['before', 'after', 'acknowledged'];

/** In what AWS answers. A passing one must not cost the night: it is tried again and promotes. */
export const ANSWERS = {
  serverError: inAnswer('500', refusedWith(500, 'InternalServerError')),
  slowDown: inAnswer('503 SlowDown', refusedWith(503, 'SlowDown'), 2),
  throttled: inAnswer('throttled', refusedWith(400, 'ThrottlingException'), 6),
  cutBefore: inAnswer('cut before', cutBefore),
  lostResponse: inAnswer('response lost', lostResponse),
  failedAfterEffect: inAnswer('500 after its effect', failedAfterEffect),
  silent: inAnswer('no answer for 20 s', silent(20_000)),
  stalled: inAnswer('body stalls', stalledBody(40_000)),
  broken: inAnswer('body breaks off', brokenBody),
  truncated: inAnswer('body cut short', truncatedBody('kept')),
  truncatedUnchecked: inAnswer('body cut short, no checksum', truncatedBody('dropped')),
  corrupt: inAnswer('body altered', corruptBody('kept')),
  corruptUnchecked: inAnswer('body altered, no checksum', corruptBody('dropped')),
  wrongEtag: inAnswer('wrong ETag', wrongEtag),
  unprocessed: inAnswer('UnprocessedItems', unprocessedItems, 2),
  conflict: inAnswer('TransactionConflict', transactionConflict, 2),
} as const;

/** To the worker. */
export const killWorker = (moment: Moment) => at('worker SIGKILL', moment, ({ lab }) => lab.workers.kill());
export const killTwice = (moment: Moment) =>
  at('worker SIGKILL, and its successor', moment, async ({ lab, beside }) => {
    await lab.workers.kill();
    beside(lab.workers.kill());
  });
export const freezeWorker = (moment: Moment) =>
  at('timed-out attempt goes on', moment, async ({ lab, beside }) => {
    await lab.workers.freeze(FROZEN_MS);
    beside(sleep(FROZEN_MS + 1_000));
  });

/** To the engines. */
export const failPostgres = (moment: 'before' | 'after') => onConnection('PostgreSQL immediate stop', moment, (scene) => failAndRepair(scene, 'postgres'));
export const cutPostgres = (moment: 'before' | 'after') => onConnection('connection cut', moment);
export const slowPostgres: Fault = at('PostgreSQL slow', 'before', async ({ lab }) => lab.engines.postgres.delay(100));
export const failTemporal = (moment: Moment) => at('Temporal SIGKILL', moment, (scene) => failAndRepair(scene, 'temporal'));
export const cutTemporal: Fault = at('Temporal away', 'before', async ({ lab, beside }) => {
  lab.engines.temporal.cutAll(true);
  beside(sleep(AWAY_MS).then(() => lab.engines.temporal.disarm()));
});
export const slowTemporal: Fault = at('Temporal slow', 'before', async ({ lab }) => lab.engines.temporal.delay(300));
/** Jobs that ran when the emulator went end as failed, so the night may too. */
export const restartAws = at('AWS restarts', 'before', (scene) => failAndRepair(scene, 'aws'), ['promoted', 'failed']);
export const loseAws: Fault = at('AWS away', 'before', async ({ lab, beside }) => {
  lab.engines.aws.lose();
  beside(sleep(AWAY_MS).then(() => lab.engines.aws.regain()));
});

/** By people. Too late, the night stands as it was promoted. */
export const cancel = at('cancel', 'before', async ({ night }) => void (await (await night).cancel()), ['cancelled', 'promoted']);
export const terminate = at(
  'terminate',
  'before',
  async ({ night }) => void (await (await night).terminate('by the fault harness')),
  ['terminated', 'promoted'],
);
export const reset: Fault = at('reset', 'before', async ({ lab, night }) => resetToLastTask(lab.access.temporal, await night), ['promoted', 'failed']);
