import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type PoolConfig } from 'pg';
import { quantile } from '../../measure';

const PAUSE_MS = 20;

export interface ReadTimes {
  readonly reads: number;
  readonly longestMs: number;
  readonly p99Ms: number;
}

/** Reads `query` on so many connections for as long as `body` takes; a failed read fails it. */
export async function readingDuring<T>(config: PoolConfig, query: string, readers: number, body: () => Promise<T>): Promise<{ readonly result: T; readonly reads: ReadTimes }> {
  const clients = await Promise.all(
    Array.from({ length: readers }, async () => {
      const client = new Client(config);
      await client.connect();
      return client;
    }),
  );
  const took: number[] = [];
  const ended = { now: false };
  const lanes = clients.map(async (client) => {
    while (!ended.now) {
      const startedAt = performance.now();
      await client.query(query);
      took.push(performance.now() - startedAt);
      await sleep(PAUSE_MS);
    }
  });
  for (const lane of lanes) lane.catch(() => undefined); // told below, once the body is over
  try {
    const result = await body();
    ended.now = true;
    await Promise.all(lanes);
    return { result, reads: { reads: took.length, longestMs: Math.max(...took), p99Ms: quantile(took, 0.99) } };
  } finally {
    ended.now = true;
    await Promise.allSettled(lanes);
    await Promise.all(clients.map((client) => client.end()));
  }
}
