import { join } from 'node:path';
import type { PipelineSpec } from '../../../domain/pipeline-spec';
import type { Engines, WorkerSettings } from './engines';
import type { WorkerProcess } from './worker-process';

export interface LostWorker {
  /** As Temporal names it: `<pid>@<host>`. */
  readonly pid: number;
  readonly atMs: number;
}

/** The workers of a lab, as a supervisor keeps them: one runs, and one that is killed is replaced at once. */
export class Workers {
  private current: WorkerProcess | undefined;
  private readonly others: WorkerProcess[] = [];
  private started = 0;
  private starting: Promise<void> = Promise.resolve();
  /** Killed or frozen since `settle`. */
  private lost: LostWorker[] = [];

  constructor(
    private readonly engines: Engines,
    private readonly pipelines: readonly PipelineSpec[],
  ) {}

  get losses(): readonly LostWorker[] {
    return this.lost;
  }

  /** Of the present worker; 0 while there is none. */
  get pid(): number {
    return this.current?.pid ?? 0;
  }

  /** Of every worker so far. */
  get workDirs(): readonly string[] {
    return Array.from({ length: this.started }, (_, index) => join(this.engines.home, 'work', `w${index + 1}`));
  }

  /** Replaces the worker by one with other settings, in good order. */
  async restart(settings: WorkerSettings = {}): Promise<void> {
    await this.starting;
    await this.current?.stop();
    await this.launch(settings);
  }

  /** SIGKILL, and the next one starts: the caller need not wait for it. */
  async kill(): Promise<void> {
    await this.starting;
    const victim = this.current;
    if (victim === undefined) throw new Error('There is no worker to kill');
    this.lost.push({ pid: victim.pid, atMs: Date.now() });
    await victim.kill();
    this.starting = this.launch({});
  }

  /** SIGSTOP for `ms` beside a second worker: an attempt that was given up goes on later, as if nothing had happened. */
  async freeze(ms: number): Promise<void> {
    await this.starting;
    const victim = this.current;
    if (victim === undefined) throw new Error('There is no worker to freeze');
    victim.freeze();
    this.lost.push({ pid: victim.pid, atMs: Date.now() });
    this.others.push(victim);
    this.starting = this.launch({});
    setTimeout(() => victim.thaw(), ms).unref();
  }

  /**
   * One plain worker, none frozen: how a scenario finds the lab.
   * @returns the end of the log of a worker that had ended by itself
   */
  async settle(): Promise<string | undefined> {
    await this.starting;
    const crashed = this.current?.isAlive === false ? this.current.logTail() : undefined;
    for (const other of this.others.splice(0)) await other.stop();
    if (this.current?.isAlive !== true || this.changed) await this.restart();
    this.lost = [];
    return crashed;
  }

  async stop(): Promise<void> {
    await this.starting.catch(() => undefined);
    for (const worker of [this.current, ...this.others]) await worker?.stop();
    this.current = undefined;
  }

  private changed = false;

  private async launch(settings: WorkerSettings): Promise<void> {
    this.started += 1;
    this.changed = Object.keys(settings).length > 0;
    this.current = await this.engines.startWorker(`w${this.started}`, this.pipelines, settings);
  }
}
