import { Client } from 'pg';
import { relationPrefix } from '../pipeline';
import type { Lab, NightOutcome } from '../lab';
import type { Fault, Scene } from './scene';

const BLOCKED: readonly NightOutcome[] = ['blocked'];

/**
 * A reader whose snapshot is older than the load, and who has not touched the view yet, so that no lock of his is in the way: the
 * night ends `blocked`, its candidate kept (X2). What he reads in the end is there: the new table would be empty to him (I3).
 */
export const heldSnapshot: Fault = {
  id: 'a reader keeps an older snapshot',
  outcomes: BLOCKED,
  arm: (scene) => hold(scene, 'repeatable read', () => 'select 1'),
};

/** A reader who has read the view and never ends his transaction: the swap gives up after its time, 200 ms at a try. */
export const heldLock: Fault = {
  id: "a reader keeps the views' locks",
  outcomes: BLOCKED,
  arm: (scene) => hold(scene, 'read committed', totalsOf),
};

async function hold({ lab, spec, night, beside }: Scene, isolation: string, first: (pipeline: string) => string): Promise<() => number> {
  const reader = await readerOf(lab);
  await reader.query(`begin isolation level ${isolation}`);
  const { rowCount } = await reader.query(first(spec.name));
  const ended = async () => {
    const handle = await night;
    await handle.result().catch(() => undefined);
    const { rowCount: seen } = await reader.query(totalsOf(spec.name));
    await reader.query('commit');
    await reader.end();
    if (seen !== 1) throw new Error(`I3: the reader in the way saw ${seen} rows of one, once the night had ended`);
  };
  beside(ended());
  return () => rowCount ?? 0;
}

function totalsOf(pipeline: string): string {
  return `select night from vw_${relationPrefix(pipeline)}_totals`;
}

async function readerOf({ engines: { env, passwords } }: Lab): Promise<Client> {
  const { PGHOST: host = '', PGPORT: port = '', PGDATABASE: database = '' } = env;
  const client = new Client({ host, port: Number(port), database, user: 'meridian_reader', password: passwords.meridian_reader });
  await client.connect();
  return client;
}
