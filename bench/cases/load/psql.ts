import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { PoolConfig } from 'pg';

/** Copies binary files into a table by `psql \copy`, dealt to so many processes. @throws Error with what psql said */
export async function copyByPsql(config: PoolConfig, table: string, files: readonly string[], streams: number): Promise<void> {
  const lanes = Array.from({ length: streams }, (_, lane) => files.filter((_file, index) => index % streams === lane));
  await Promise.all(lanes.map((lane) => psql(config, lane.flatMap((file) => ['-c', `\\copy ${table} from '${file}' with (format binary)`]))));
}

async function psql({ host, port, database, user, password }: PoolConfig, args: readonly string[]): Promise<void> {
  const own = join(process.env['MERIDIAN_POSTGRES_BIN'] ?? '', 'psql');
  const child = spawn(existsSync(own) ? own : 'psql', ['--no-psqlrc', '--quiet', '-v', 'ON_ERROR_STOP=1', ...args], {
    env: { ...process.env, PGHOST: host, PGPORT: String(port), PGDATABASE: database, PGUSER: user, PGPASSWORD: typeof password === 'string' ? password : '' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = new Promise<number | null>((done, fail) => child.once('close', done).once('error', fail));
  const [said, code] = await Promise.all([text(child.stderr), ended]);
  if (code !== 0) throw new Error(`psql ended with ${code ?? 'a signal'}: ${said.trim()}`);
}
