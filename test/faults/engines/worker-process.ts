import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const MAIN = join(__dirname, 'worker-main.ts');
const READY_MS = 60_000;

export interface WorkerOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logFile: string;
  /** More arguments of node, such as `--import <file>`. */
  readonly nodeArgs?: readonly string[];
}

/** One worker in a process of its own, to be killed, frozen and started again. */
export class WorkerProcess {
  private constructor(
    private readonly child: ChildProcess,
    private readonly logFile: string,
  ) {}

  static async start({ env, logFile, nodeArgs = [] }: WorkerOptions): Promise<WorkerProcess> {
    const log = openSync(logFile, 'a');
    const child = spawn(process.execPath, [...nodeArgs, '--import', 'tsx', MAIN], { env, stdio: ['ignore', 'pipe', log] });
    closeSync(log);
    const worker = new WorkerProcess(child, logFile);
    await worker.ready();
    return worker;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get isAlive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** No warning, as a machine that lost its power. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  /** An orderly end, as a deployment asks for. */
  async stop(): Promise<void> {
    this.thaw();
    await this.end('SIGTERM');
  }

  /** It stops dead, keeps its connections, and knows nothing of the time that passes. */
  freeze(): void {
    this.child.kill('SIGSTOP');
  }

  thaw(): void {
    this.child.kill('SIGCONT');
  }

  logTail(lines = 30): string {
    return readFileSync(this.logFile, 'utf8').split('\n').slice(-lines).join('\n');
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    if (!this.isAlive) return;
    const exited = once(this.child, 'exit');
    this.child.kill(signal);
    await exited;
  }

  private async ready(): Promise<void> {
    const { stdout } = this.child;
    if (stdout === null) throw new TypeError('unreachable: the worker was started with a pipe');
    const lines = createInterface({ input: stdout });
    const said = new Promise<void>((resolve) => lines.once('line', () => resolve()));
    const outcome = await Promise.race([
      said.then(() => 'ready' as const),
      once(this.child, 'exit').then(() => 'ended' as const),
      sleep(READY_MS, 'late' as const, { ref: false }),
    ]);
    if (outcome === 'ready') return;
    this.child.kill('SIGKILL');
    throw new Error(`The harness's worker ${outcome === 'ended' ? 'ended' : `was not ready within ${READY_MS / 1_000} s`}:\n${this.logTail()}`);
  }
}
