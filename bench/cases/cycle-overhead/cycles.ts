import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { Client } from '@temporalio/client';
import type { DiscoveredBatches } from '../../../activities/batches';
import { cycleWorkflowId } from '../../../domain/cycle';
import type { CycleReport } from '../../../domain/progress';
import { startChild, type Child } from '../../engines/child';
import { startDevServer, type DevServer, type Persistence } from '../../engines/dev-server';
import { historySize, type HistorySize } from './history';
import type { WorkerTask } from './worker';

const TASK_QUEUE = 'bench';
/** A year of nights: no interval's end is used twice. */
const FIRST_END = Date.parse('2018-08-02T00:00:00Z');
const DAY_MS = 86_400_000;

/** A dev server and one worker whose activities answer at once. */
export class CycleRig {
  private readonly client: Client;
  private nights = 0;

  private constructor(
    private readonly server: DevServer,
    private readonly worker: Child,
  ) {
    this.client = new Client({ connection: server.connection });
  }

  /**
   * @param root - the checkout whose worker and workflows are measured
   * @param settings - of the server; the local stack's own unless said
   * @param found - what every cycle's discovery answers; a small batch unless said
   */
  static async start(scratch: string, persistence: Persistence, root: string, settings?: readonly string[], found?: DiscoveredBatches): Promise<CycleRig> {
    const server = await startDevServer(scratch, persistence, settings);
    const task: WorkerTask = { address: server.address, taskQueue: TASK_QUEUE, ...(found === undefined ? {} : { found }) };
    const worker = startChild(join(root, 'bench/cases/cycle-overhead/worker.ts'), task);
    const rig = new CycleRig(server, worker);
    try {
      await worker.next();
      return rig;
    } catch (error) {
      await rig.stop();
      throw error;
    }
  }

  /** Server and worker: the client that starts cycles and waits for them is no part of a deployment's cost. */
  get pids(): readonly number[] {
    return [this.server.pid, this.worker.pid];
  }

  get workerPid(): number {
    return this.worker.pid;
  }

  /** One after another, of one dataset. @returns each one's seconds, from the start's call to its result */
  async oneAtATime(count: number): Promise<readonly number[]> {
    const seconds: number[] = [];
    for (let done = 0; done < count; done += 1) seconds.push(await this.run('bench-0', this.nextEnd()));
    return seconds;
  }

  /** All started at once, dealt to so many datasets. @returns each one's seconds */
  async atOnce(count: number, datasets: number): Promise<readonly number[]> {
    const ends = Array.from({ length: Math.ceil(count / datasets) }, () => this.nextEnd());
    return Promise.all(Array.from({ length: count }, (_, index) => this.run(`bench-${index % datasets}`, ends[Math.floor(index / datasets)] ?? '')));
  }

  /** What the last cycle of the first dataset left in Temporal. */
  async historySize(): Promise<HistorySize> {
    return historySize(await this.client.workflow.getHandle(cycleWorkflowId('bench-0', this.end(this.nights))).fetchHistory());
  }

  async stop(): Promise<void> {
    await this.worker.stop();
    await this.server.stop();
  }

  private async run(pipeline: string, intervalEnd: string): Promise<number> {
    const startedAt = performance.now();
    const report = await this.client.workflow.execute<(input: object) => Promise<CycleReport>>('etlCycle', {
      workflowId: cycleWorkflowId(pipeline, intervalEnd),
      taskQueue: TASK_QUEUE,
      args: [{ pipeline, intervalEnd }],
    });
    if (report.outcome !== 'promoted') throw new Error(`${report.workflowId} was expected to be promoted, and ended ${report.outcome}: ${report.reason ?? ''}`);
    return (performance.now() - startedAt) / 1_000;
  }

  private nextEnd(): string {
    this.nights += 1;
    return this.end(this.nights);
  }

  private end(night: number): string {
    return new Date(FIRST_END + night * DAY_MS).toISOString().replace('.000Z', 'Z');
  }
}
