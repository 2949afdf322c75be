import { Client } from 'pg';
import { relationPrefix } from '../pipeline';
import type { Lab, NightOutcome } from '../lab';
import type { Fault, Scene } from './scene';

const BLOCKED: readonly NightOutcome[] = ['blocked'];

/** A reader whose snapshot is older than the load, and who does not end it: the night ends `blocked`, its candidate kept (X2). */
export const heldSnapshot: Fault = {
  id: 'a reader keeps an older snapshot',
  outcomes: BLOCKED,
  arm: (scene) => hold(scene, 'repeatable read'),
};

/** A reader who has read the view and never ends his transaction: the swap gives up after its time, 200 ms at a try. */
export const heldLock: Fault = {
  id: "a reader keeps the views' locks",
  outcomes: BLOCKED,
  arm: (scene) => hold(scene, 'read committed'),
};

async function hold({ lab, spec, night, beside }: Scene, isolation: string): Promise<() => number> {
  const reader = await readerOf(lab);
  await reader.query(`begin isolation level ${isolation}`);
  const { rowCount } = await reader.query(`select night from vw_${relationPrefix(spec.name)}_totals`);
  const ended = async () => {
    const handle = await night;
    await handle.result().catch(() => undefined);
    await reader.query('commit');
    await reader.end();
  };
  beside(ended());
  return () => rowCount ?? 0;
}

async function readerOf({ engines: { env, passwords } }: Lab): Promise<Client> {
  const { PGHOST: host = '', PGPORT: port = '', PGDATABASE: database = '' } = env;
  const client = new Client({ host, port: Number(port), database, user: 'meridian_reader', password: passwords.meridian_reader });
  await client.connect();
  return client;
}
