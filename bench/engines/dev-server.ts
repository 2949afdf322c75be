import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { SEARCH_ATTRIBUTES } from '../../domain/search-attribute-names';
import { SPEED_SETTINGS } from '../../infra/local/temporal';
import { freePort } from '../../infra/local/ports';
import { required } from '../../test/support/temporal';

/** `memory` is lost with the server; `file` is SQLite on this machine's disk, as `npx meridian up` has it. */
export type Persistence = 'memory' | 'file';

export interface DevServer {
  readonly address: string;
  readonly pid: number;
  readonly connection: Connection;
  stop(): Promise<void>;
}

const READY_MS = 60_000;

/** Temporal's dev server, as the local stack starts it but without the Web UI. @param settings - the local stack's own, or none */
export async function startDevServer(scratch: string, persistence: Persistence, settings: readonly string[] = SPEED_SETTINGS): Promise<DevServer> {
  const address = `127.0.0.1:${await freePort()}`;
  const child = spawn(
    required('MERIDIAN_TEMPORAL'),
    [
      ...['server', 'start-dev', '--headless', '--ip', '127.0.0.1', '--port', address.split(':')[1] ?? '', '--log-level', 'error', ...settings],
      ...(persistence === 'file' ? ['--db-filename', join(scratch, 'temporal.db')] : []),
      ...Object.entries(SEARCH_ATTRIBUTES).flatMap(([name, type]) => ['--search-attribute', `${name}=${type}`]),
    ],
    { stdio: 'ignore' },
  );
  const ended = new Promise<void>((done) => child.once('close', () => done()));
  const stop = async () => {
    child.kill('SIGINT');
    await ended;
  };
  const failed = new Promise<never>((_, reject) => child.once('error', reject));
  failed.catch(() => undefined);
  try {
    const connection = await Promise.race([connected(address, () => child.exitCode !== null), failed]);
    return {
      address,
      pid: child.pid ?? 0,
      connection,
      async stop() {
        await connection.close();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A listening port is not a served namespace yet: workers that come too early fail. */
async function connected(address: string, isOver: () => boolean): Promise<Connection> {
  for (const deadline = Date.now() + READY_MS; ; ) {
    try {
      const connection = await Connection.connect({ address, connectTimeout: '2 seconds' });
      await connection.workflowService.describeNamespace({ namespace: 'default' });
      return connection;
    } catch (error) {
      if (isOver() || Date.now() > deadline) throw new Error(`Temporal's dev server at ${address} does not answer`, { cause: error });
      await sleep(100);
    }
  }
}
