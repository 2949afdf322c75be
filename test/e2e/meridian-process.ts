import { type ChildProcess, spawn } from 'node:child_process';
import { join, resolve } from 'node:path';

const CHECKOUT = resolve(__dirname, '..', '..');

/** What a command of the CLI said and how it ended. */
export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCommand {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
  /** Resolves when the pattern stands on stderr; rejects when the command ends before. */
  said(pattern: RegExp): Promise<void>;
}

/** Starts `meridian …` as a user does. */
export function startMeridian(args: readonly string[], env: NodeJS.ProcessEnv, checkout = CHECKOUT): RunningCommand {
  const child = spawn(process.execPath, [join(checkout, 'bin', 'meridian.js'), ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  const listeners = new Set<() => void>();
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      output[stream] += text;
      for (const listener of listeners) listener();
    });
  }
  const finished = new Promise<Finished>((done, fail) => {
    child.once('error', fail);
    child.once('close', (code) => done({ code, ...output }));
  });
  return {
    child,
    finished,
    said: (pattern) =>
      new Promise((done, fail) => {
        const look = () => {
          if (pattern.test(output.stderr)) done();
        };
        listeners.add(look);
        look();
        void finished.then(() => fail(new Error(`"meridian ${args.join(' ')}" ended before it said ${String(pattern)}:\n${output.stderr.slice(-3_000)}`)), fail);
      }),
  };
}
