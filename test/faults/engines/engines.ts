import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PipelineSpec } from '../../../domain/pipeline-spec';
import { bringUp } from '../../../cli/up';
import { STACKS } from '../../../infra/deploy/stacks';
import { synthesise, templateOf } from '../../../infra/deploy/synthesis';
import { AWS } from '../../../infra/local/aws-process';
import { POSTGRES } from '../../../infra/local/postgres';
import { ensurePasswords, type Passwords } from '../../../infra/local/postgres-passwords';
import { findProcess, stopProcess } from '../../../infra/local/processes';
import { silent } from '../../../infra/local/progress';
import { type StackPorts, startStack, stopStack } from '../../../infra/local/stack';
import { taskEnvironment } from '../../../infra/local/task-environment';
import { TEMPORAL } from '../../../infra/local/temporal';
import { IamGuard } from '../../support/iam/iam-guard';
import { AwsProxy } from './aws-proxy';
import { TcpProxy } from './tcp-proxy';
import { WorkerProcess } from './worker-process';

const SCRIPTED = join(__dirname, '..', 'scripted');
/** Spark's transforms and Deequ's work done by quick scripts: their own runs are not the subject here. */
const AWS_SETTINGS = {
  MERIDIAN_SPARK_SUBMIT: join(SCRIPTED, 'submit.py'),
  MERIDIAN_QUALITY_EVALUATOR: join(SCRIPTED, 'evaluate.py'),
  MERIDIAN_SPARK_CONCURRENCY: '4',
};
const PARTS = { temporal: TEMPORAL, postgres: POSTGRES, aws: AWS } as const;
export type Part = keyof typeof PARTS;

/** The local stack, private and on free ports, with a proxy before each part; a worker only knows the proxies. */
export class Engines {
  private constructor(
    readonly home: string,
    /** Straight to the parts: for whoever looks from outside. */
    readonly env: Readonly<Record<string, string>>,
    readonly passwords: Passwords,
    private readonly ports: StackPorts,
    readonly aws: AwsProxy,
    readonly postgres: TcpProxy,
    readonly temporal: TcpProxy,
    /** Between workers and the local AWS there is IAM, as the template has it: every scenario holds to the roles. */
    readonly iam: IamGuard,
  ) {}

  /** @param auth - the local AWS enforces its policies, and workers have their role's credentials */
  static async start(auth = false): Promise<Engines> {
    const home = mkdtempSync(join(tmpdir(), 'meridian-faults-'));
    chmodSync(home, 0o755); // as root, PostgreSQL runs as another user
    try {
      return await Engines.open(home, auth);
    } catch (error) {
      await purge(home);
      throw error;
    }
  }

  private static async open(home: string, auth: boolean): Promise<Engines> {
    const free = { temporal: 0, temporalUi: 0, postgres: 0, aws: 0 };
    const { env } = await bringUp(home, silent, { ports: free, awsSettings: AWS_SETTINGS, auth });
    const portOf = (part: Part, name: string) => Number(findProcess(home, PARTS[part])?.settings[name]);
    const ports = { temporal: portOf('temporal', 'port'), temporalUi: portOf('temporal', 'uiPort'), postgres: portOf('postgres', 'port'), aws: portOf('aws', 'port') };
    const iam = new IamGuard(templateOf(await synthesise(home, silent.note), STACKS.data), env);
    const [aws, postgres, temporal] = await Promise.all([AwsProxy.start(ports.aws, iam), TcpProxy.start(ports.postgres), TcpProxy.start(ports.temporal)]);
    return new Engines(home, env, ensurePasswords(home), ports, aws, postgres, temporal, iam);
  }

  /** A worker that reaches everything through the proxies. @param name - of its work folder and log */
  async startWorker(name: string, pipelines: readonly PipelineSpec[], more: WorkerSettings = {}): Promise<WorkerProcess> {
    const workDir = more.workDir ?? join(this.home, 'work', name);
    mkdirSync(workDir, { recursive: true });
    const declared = join(this.home, `pipelines-${name}.json`);
    writeFileSync(declared, JSON.stringify(pipelines));
    return WorkerProcess.start({
      logFile: join(this.home, 'logs', `worker-${name}.log`),
      nodeArgs: more.nodeArgs ?? [],
      env: taskEnvironment({
        ...process.env,
        ...this.env,
        AWS_ENDPOINT_URL: this.aws.endpoint,
        PGPORT: String(this.postgres.port),
        TEMPORAL_ADDRESS: `127.0.0.1:${this.temporal.port}`,
        MERIDIAN_WORK_DIR: workDir,
        MERIDIAN_AWS_TIMEOUT_SECONDS: '5',
        MERIDIAN_DUCKDB_MEMORY_MB: '256',
        MERIDIAN_ARCHIVE_SECONDS: '0', // a scenario's requests are its own; test/replay/archive.test.ts has the archive's
        MERIDIAN_FAULT_PIPELINES: declared,
        ...more.env,
      }),
    });
  }

  /** As a power failure: SIGKILL, but for PostgreSQL `pg_ctl -m immediate`, and for the local AWS SIGTERM, which saves its state. */
  async fail(part: Part): Promise<void> {
    const record = findProcess(this.home, PARTS[part]);
    if (record === undefined) return;
    if (part === 'aws') {
      await stopProcess(this.home, AWS);
      return;
    }
    process.kill(record.pid, part === 'postgres' ? 'SIGQUIT' : 'SIGKILL');
    while (findProcess(this.home, PARTS[part]) !== undefined) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  /** Starts what has failed, where it was. */
  async repair(): Promise<void> {
    await startStack({ home: this.home, ports: this.ports, progress: silent, awsSettings: AWS_SETTINGS });
  }

  /** Whatever a scenario left between worker and engines. */
  disarm(): void {
    for (const proxy of [this.aws, this.postgres, this.temporal]) proxy.disarm();
  }

  async stop(): Promise<void> {
    await Promise.all([this.aws.stop(), this.postgres.stop(), this.temporal.stop()]);
    await purge(this.home);
  }
}

async function purge(home: string): Promise<void> {
  await stopStack({ home, purge: true });
  rmSync(home, { recursive: true, force: true });
}

export interface WorkerSettings {
  readonly env?: Readonly<Record<string, string>>;
  readonly nodeArgs?: readonly string[];
  readonly workDir?: string;
}
