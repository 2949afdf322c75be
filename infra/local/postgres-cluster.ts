import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './toolchain/command';
import type { Found } from './toolchain/tool';
import { type Account, reachableFolder, unprivilegedAccount } from './unprivileged-account';

/** Where a cluster's files are and who may touch them. */
export interface Cluster {
  /** Belongs to the account; the server's working folder. */
  readonly folder: string;
  readonly data: string;
  readonly account: Account | undefined;
}

/**
 * The files of the cluster of `home`, made where there are none. Safe to run twice; what an interrupted run left is made anew.
 * @param password - the superuser's, for a new cluster
 * @throws StackError with initdb's last lines
 */
export async function ensureCluster(home: string, server: Found, password: string): Promise<Cluster> {
  const account = unprivilegedAccount();
  const folder = join(reachableFolder(home, account), 'postgres');
  const cluster = { folder, data: join(folder, 'data'), account };
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (account !== undefined) chownSync(folder, account.uid, account.gid);
  if (existsSync(cluster.data)) removeStalePidFile(cluster.data);
  else await initialise(cluster, server, password);
  return cluster;
}

/** Removes a stopped cluster's files. Safe to run twice. */
export function removeCluster(home: string): void {
  const folder = reachableFolder(home, unprivilegedAccount());
  rmSync(join(folder, 'postgres'), { recursive: true, force: true });
  if (folder !== home) rmSync(folder, { recursive: true, force: true });
}

async function initialise({ folder, data, account }: Cluster, server: Found, password: string): Promise<void> {
  const making = `${data}.making`;
  const passwordFile = join(folder, 'initdb.password');
  rmSync(making, { recursive: true, force: true });
  writeFileSync(passwordFile, password, { mode: 0o600 });
  try {
    if (account !== undefined) chownSync(passwordFile, account.uid, account.gid);
    await run(
      join(server.path, 'initdb'),
      ['-D', making, '-U', 'postgres', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, '-E', 'UTF8', '--locale=C.UTF-8', '--no-instructions'],
      { cwd: folder, env: server.env, timeoutMs: 120_000, ...(account === undefined ? {} : { account }) },
    );
  } finally {
    rmSync(passwordFile, { force: true });
  }
  renameSync(making, data);
}

/** After a crash of the machine the number in `postmaster.pid` may be any process's: PostgreSQL would refuse to start. */
function removeStalePidFile(data: string): void {
  const path = join(data, 'postmaster.pid');
  try {
    const pid = Number(readFileSync(path, 'utf8').split('\n')[0]);
    if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(data)) rmSync(path, { force: true });
  } catch {
    // No such file, or no such process: PostgreSQL handles both.
  }
}
