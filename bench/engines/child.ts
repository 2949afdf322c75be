import { fork } from 'node:child_process';
import { once } from 'node:events';

/** A process of our own TypeScript that is measured apart from the harness. */
export interface Child {
  readonly pid: number;
  /** What it sends next. @throws Error when it ends instead */
  next<T>(): Promise<T>;
  send(message: object): void;
  /** Asks for its end, and waits for it. */
  stop(): Promise<void>;
}

/** Starts `script` (a path) as this process was started, with its task as the one argument. */
export function startChild(script: string, task: object): Child {
  const child = fork(script, [JSON.stringify(task)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const queue: unknown[] = [];
  const waiting: { readonly take: (message: unknown) => void; readonly fail: (error: Error) => void }[] = [];
  let isOver = false;
  child.on('message', (message) => {
    const first = waiting.shift();
    if (first === undefined) queue.push(message);
    else first.take(message);
  });
  child.once('exit', (code, signal) => {
    isOver = true;
    for (const { fail } of waiting.splice(0)) fail(endedEarly(script, code ?? signal));
  });
  return {
    pid: child.pid ?? 0,
    next: <T>() =>
      new Promise<T>((resolve, reject) => {
        if (queue.length > 0) resolve(queue.shift() as T);
        else if (isOver) reject(endedEarly(script, child.exitCode ?? child.signalCode));
        else waiting.push({ take: (message) => resolve(message as T), fail: reject });
      }),
    send: (message) => void child.send(message),
    async stop() {
      if (isOver) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}

function endedEarly(script: string, how: number | string | null): Error {
  return new Error(`${script} ended with ${how ?? 'nothing'} before it had answered`);
}

/** In the child: its task. */
export function taskOfChild<T>(): T {
  return JSON.parse(process.argv[2] ?? '') as T;
}

/** In the child: tells the harness. */
export function tell(message: object): void {
  process.send?.(message);
}

/** In the child: answers each order that the harness sends, one after another, until it is ended. */
export function eachOrder<T>(answer: (order: T) => Promise<object>): void {
  process.on('message', (order) => {
    answer(order as T).then(tell, (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
      process.exit(1);
    });
  });
}
