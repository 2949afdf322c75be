import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { relationPrefix } from '../pipeline';
import type { ReadersAnswer, ReadersOrder, ReadersProgress, ReadersRequest } from './messages';
import type { ReaderOptions, ReadersReport } from './report';

/** Readers of one pipeline's views, in a process of their own so that their latencies are theirs alone. */
export interface ReaderPool {
  /** Reads from here on are reported under this name too. */
  phase(name: string): Promise<void>;
  /** Runs a rollback or a promotion of an earlier night: while it lasts an earlier night is not stale, and afterwards it is the newest. */
  expectEarlierNights<T>(during: () => Promise<T>): Promise<T>;
  progress(): Promise<ReadersProgress>;
  /**
   * Ends the readers; their last reads are waited for. Safe to call twice.
   * @throws Error with the end of its stderr when the process ended before
   */
  report(): Promise<ReadersReport>;
  /** Ends them without an answer; safe after `report`. */
  abandon(): void;
}

export interface ReadersInput {
  /** Of the role `meridian_reader`, straight to PostgreSQL. */
  readonly connection: ReadersOrder['connection'];
  /** Name of a pipeline of `faultPipeline`. */
  readonly pipeline: string;
  /** As in `ReadersOrder`. */
  readonly byDay?: boolean;
  readonly readers?: ReaderOptions;
}

const DEFAULTS: Required<ReaderOptions> = { short: 2, long: 1, readsPerSecond: 20, longMs: 4_000, longPauseMs: 2_000 };
/** Beyond the longest statement that a reader allows itself. */
const REPORT_TIMEOUT_MS = 90_000;

/**
 * Starts readers; they count from the moment when both views exist.
 * @throws Error when the database cannot be reached
 */
export async function startReaders({ connection, pipeline, byDay = false, readers = {} }: ReadersInput): Promise<ReaderPool> {
  const { host, port, database, user, password } = connection;
  const prefix = relationPrefix(pipeline);
  const readersProcess = launch();
  const order: ReadersOrder = {
    // Picked by name: a pool's configuration may carry functions, which no channel takes.
    connection: { host, port, database, user, ...(password === undefined ? {} : { password }) },
    views: { points: `vw_${prefix}_points`, totals: `vw_${prefix}_totals` },
    byDay,
    options: { ...DEFAULTS, ...readers },
  };
  try {
    await readersProcess.ask({ ask: 'start', order });
  } catch (error) {
    readersProcess.end();
    throw error;
  }
  let reported: Promise<ReadersReport> | undefined;
  return {
    phase: async (name) => void (await readersProcess.ask({ ask: 'phase', name })),
    async expectEarlierNights(during) {
      await readersProcess.ask({ ask: 'expectEarlierNights', expected: true });
      try {
        return await during();
      } finally {
        await readersProcess.ask({ ask: 'expectEarlierNights', expected: false });
      }
    },
    async progress() {
      const { progress } = await readersProcess.ask({ ask: 'progress' });
      if (progress === undefined) throw new Error('The readers answered a question about their progress without it');
      return progress;
    },
    report: () => (reported ??= finish(readersProcess)),
    abandon: () => readersProcess.end(),
  };
}

async function finish(readersProcess: ReadersProcess): Promise<ReadersReport> {
  const late = sleep(REPORT_TIMEOUT_MS, undefined, { ref: false }).then(() => {
    throw new Error(`The readers gave no report within ${REPORT_TIMEOUT_MS / 1_000} s`);
  });
  try {
    const { report } = await Promise.race([readersProcess.ask({ ask: 'report' }), late]);
    if (report === undefined) throw new Error('The readers ended without a report');
    return report;
  } finally {
    readersProcess.end();
  }
}

interface ReadersProcess {
  ask(request: ReadersRequest): Promise<ReadersAnswer>;
  end(): void;
}

function launch(): ReadersProcess {
  const child = spawn(process.execPath, ['--require', require.resolve('tsx/cjs'), join(__dirname, 'reader-process.ts')], {
    // The channel closes with this process, however it ends, and the readers end with it.
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let errors = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors = (errors + text).slice(-4_000)));
  const waiting = new Map<number, { resolve(answer: ReadersAnswer): void; reject(error: Error): void }>();
  let asked = 0;
  const fail = (why: string) => {
    for (const { reject } of waiting.values()) reject(new Error(`The readers' process ${why}: ${errors.trim() || 'it said nothing'}`));
    waiting.clear();
  };
  child.on('message', (answer: ReadersAnswer) => {
    const asker = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (answer.error === undefined) asker?.resolve(answer);
    else asker?.reject(new Error(answer.error));
  });
  child.once('error', (error) => fail(`could not be started (${error.message})`));
  child.once('close', (code, signal) => fail(`ended too early (${signal ?? code})`));
  return {
    ask: (request) =>
      new Promise((resolve, reject) => {
        const id = (asked += 1);
        waiting.set(id, { resolve, reject });
        if (!child.connected) fail('is gone');
        else child.send({ ...request, id }, (error) => error !== null && fail(`could not be asked (${error.message})`));
      }),
    end: () => endHard(child),
  };
}

function endHard(child: ChildProcess): void {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
}
