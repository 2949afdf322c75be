import { S3Client } from '@aws-sdk/client-s3';
import { Client, Connection } from '@temporalio/client';
import { cycleWorkflowId } from '../../../domain/cycle';
import { findProcess, knownProcesses } from '../../../infra/local/processes';
import { readStackEnv } from '../../../infra/local/stack-env';
import { mobileGeolocation } from '../../../pipelines/mobile-geolocation';
import { type OpenDatabase, openDatabase } from '../../../sql/database';
import { startMeridian } from '../../../test/e2e/meridian-process';
import { type CycleShares, cycleShares } from './shares';

/** A local stack with the demo's references in it and a worker at work. */
export class BenchStack {
  private readonly settings: Readonly<Record<string, string>>;

  /** @param home - the stack's folder @param env - of commands of the CLI */
  constructor(
    private readonly home: string,
    private readonly env: NodeJS.ProcessEnv,
  ) {
    this.settings = readStackEnv(home);
  }

  /** @throws Error that names it */
  setting(name: string): string {
    const value = this.settings[name];
    if (value === undefined) throw new Error(`The stack in ${this.home} has no setting ${name}: it has ${Object.keys(this.settings).sort().join(', ')}`);
    return value;
  }

  /** For tools that are started beside it. */
  get environment(): NodeJS.ProcessEnv {
    return { ...process.env, ...this.settings, AWS_DEFAULT_REGION: this.setting('AWS_REGION'), AWS_EC2_METADATA_DISABLED: 'true' };
  }

  /** Its engines and the worker; Spark runs below the local AWS. */
  pids(): readonly number[] {
    return knownProcesses(this.home).flatMap((name) => findProcess(this.home, name)?.pid ?? []);
  }

  s3(): S3Client {
    const credentials = { accessKeyId: this.setting('AWS_ACCESS_KEY_ID'), secretAccessKey: this.setting('AWS_SECRET_ACCESS_KEY') };
    return new S3Client({ endpoint: this.setting('AWS_ENDPOINT_URL'), region: this.setting('AWS_REGION'), forcePathStyle: true, credentials });
  }

  database(): OpenDatabase {
    const [host, port, database, user, password] = ['PGHOST', 'PGPORT', 'PGDATABASE', 'PGUSER', 'PGPASSWORD'].map((name) => this.setting(name));
    return openDatabase({ host, port: Number(port), database, user, password });
  }

  /** Runs a night as a user does. @throws Error unless it is promoted */
  async runNight(intervalEnd: string): Promise<void> {
    const { code, stdout, stderr } = await startMeridian(['run', mobileGeolocation.name, '--interval-end', intervalEnd, '--json'], this.env).finished;
    if (code !== 0) throw new Error(`The night until ${intervalEnd} ended with ${code}: ${stdout.slice(-2_000)} ${stderr.slice(-2_000)}`);
  }

  async sharesOf(intervalEnds: readonly string[]): Promise<readonly CycleShares[]> {
    const connection = await Connection.connect({ address: this.setting('TEMPORAL_ADDRESS') });
    try {
      const client = new Client({ connection, namespace: this.setting('TEMPORAL_NAMESPACE') });
      return await Promise.all(intervalEnds.map(async (end) => cycleShares(await client.workflow.getHandle(cycleWorkflowId(mobileGeolocation.name, end)).fetchHistory())));
    } finally {
      await connection.close();
    }
  }
}
