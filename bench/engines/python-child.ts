import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { required } from '../../test/support/temporal';

/** A Python script that answers orders: one JSON line in, one JSON line out. */
export interface PythonChild {
  readonly pid: number;
  /** @throws Error with what it said last when it ends instead */
  order<A>(order: object): Promise<A>;
  stop(): Promise<void>;
}

/** Starts it and waits until it is ready. */
export async function startPython(script: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<PythonChild> {
  const child = spawn(required('MERIDIAN_PYTHON'), [script, ...args], { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
  const exited = once(child, 'exit');
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4_000)));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async <A>(): Promise<A> => {
    for (;;) {
      const { value, done } = (await lines.next()) as { readonly value?: string; readonly done?: boolean };
      if (done === true || value === undefined) throw new Error(`${script} ended before it had answered: ${said.trim()}`);
      if (value.startsWith('{')) return JSON.parse(value) as A; // beside what a library prints
    }
  };
  const stop = async () => {
    child.stdin.end();
    child.kill('SIGTERM');
    await exited;
  };
  try {
    await next();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    pid: child.pid ?? 0,
    async order(order) {
      child.stdin.write(`${JSON.stringify(order)}\n`);
      return next();
    },
    stop,
  };
}
