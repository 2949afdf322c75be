/**
 * Readers beside a cycle, in a process of their own so that their latencies are theirs alone. Reads until SIGTERM, then
 * prints one JSON document, `ReadersReport`. SIGUSR2 makes them read as fast as they can: a promotion is near.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { prepareReader, type Read, READ_KINDS, type ReadKind, readOnce } from './read-sample';

/** What the process prints. */
export interface ReadersReport {
  readonly reads: readonly (Read & { readonly kind: ReadKind })[];
}

/** While nothing changes a few reads a second are enough, and the machine's cores belong to the job. */
const IDLE_PAUSE_MS = 400;
const BUSY_PAUSE_MS = 10;
const TRANSACTION_PAUSE_MS = 40;
const CONNECTIONS: readonly ReadKind[] = [...READ_KINDS, 'repeatable read'];

const stop = new AbortController();
let pauseMs = IDLE_PAUSE_MS;

async function readers(): Promise<ReadersReport> {
  const reads: (Read & { kind: ReadKind })[] = [];
  await Promise.all(CONNECTIONS.map((kind, index) => readUntilStopped(kind, index, (read) => reads.push({ ...read, kind }))));
  return { reads: reads.sort((a, b) => a.startedAtMs - b.startedAtMs) };
}

async function readUntilStopped(kind: ReadKind, index: number, keep: (read: Read) => void): Promise<void> {
  let client: Client | undefined;
  let served = false;
  while (!stop.signal.aborted) {
    try {
      client ??= await connect(index);
      served ||= await viewsExist(client);
    } catch (error) {
      keep({ startedAtMs: Date.now(), longestMs: 0, verdict: 'failed', detail: error instanceof Error ? error.message : String(error) });
    }
    // Before the first promotion there is nothing to read; from then on a missing view is a failed read.
    if (client !== undefined && served) keep(await readOnce(client, kind, () => sleep(Math.random() * TRANSACTION_PAUSE_MS)));
    await sleep(pauseMs, undefined, { signal: stop.signal }).catch(() => undefined);
  }
  await client?.end();
}

async function connect(index: number): Promise<Client> {
  const client = new Client({ application_name: `meridian demo reader ${index + 1}`, connectionTimeoutMillis: 10_000 });
  // A connection that the server ends shows as the next read's failure.
  client.on('error', () => undefined);
  await client.connect();
  await prepareReader(client);
  return client;
}

async function viewsExist(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ both: boolean }>(
    "select to_regclass('vw_positions') is not null and to_regclass('vw_zone_activity') is not null as both",
  );
  return rows[0]?.both === true;
}

process.once('SIGTERM', () => stop.abort());
process.on('SIGUSR2', () => {
  pauseMs = BUSY_PAUSE_MS;
});
// Nobody left to print for: the parent is gone.
process.once('disconnect', () => stop.abort());

void readers().then((report) => {
  process.stdout.write(JSON.stringify(report), () => process.exit(0));
});
