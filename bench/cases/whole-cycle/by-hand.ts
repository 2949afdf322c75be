import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Pool } from 'pg';
import { rulesetText } from '../../../domain/ruleset';
import { mobileGeolocation } from '../../../pipelines/mobile-geolocation';
import { ROOT } from '../../checkout';
import { deliveryPrefix } from './records';
import type { BenchStack } from './stack';

export interface HandNight {
  /** UTC day in which the objects arrive, and on which all new records were recorded. */
  readonly day: string;
  /** UTC day, the first that records may repeat. */
  readonly windowFrom: string;
  /** `s3://` folders of Parquet with what is served before the night. */
  readonly earlierParquet: readonly string[];
}

const { relations, quality } = mobileGeolocation;

/** Lets `by-hand.sh` start from what the product serves, in a schema of its own. */
export async function prepareByHand(pool: Pool): Promise<void> {
  await pool.query('create schema by_hand');
  for (const { name, view } of relations) await pool.query(`create table by_hand.${name} as table public.${view}`);
  for (const { name, view } of relations) await pool.query(`create view by_hand.${view} as table by_hand.${name}`);
  await pool.query('vacuum analyze');
}

/** @returns seconds by step, as the script says them @throws Error with the end of what it said */
export async function runByHand(stack: BenchStack, { day, windowFrom, earlierParquet }: HandNight, scratch: string): Promise<Readonly<Record<string, number>>> {
  const work = join(scratch, 'by-hand');
  mkdirSync(work);
  const env = {
    ...stack.environment,
    WORK: work,
    CHECKOUT: ROOT,
    RAW_PREFIX: deliveryPrefix(day),
    DAY: day,
    WINDOW_FROM: windowFrom,
    RULES: JSON.stringify({ added: rulesetText(quality.added), served: rulesetText(quality.served) }),
    EARLIER_PARQUET: JSON.stringify(earlierParquet.map((uri) => uri.replace('s3://', 's3a://'))),
  };
  const child = spawn(join(__dirname, 'by-hand.sh'), { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<number | null>((done, fail) => child.once('close', done).once('error', fail));
  const [said, complained, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  if (code !== 0) throw new Error(`by-hand.sh ended with ${code ?? 'a signal'} after "${said.trim()}": ${complained.slice(-3_000)}`);
  return Object.fromEntries(said.trim().split('\n').map((line) => [line.split(' ')[0] ?? '', Number(line.split(' ')[1])]));
}

/** What a relation serves, but for where its rows say that they come from. */
export interface Served {
  readonly rows: string;
  readonly checksum: string;
}

/** @param schema - `public` for the product's views */
export async function servedBy(pool: Pool, schema: 'public' | 'by_hand'): Promise<Readonly<Record<string, Served>>> {
  const served: Record<string, Served> = {};
  for (const { name, view, columns } of relations) {
    const told = columns.map((column) => column.name).filter((column) => !LINEAGE.includes(column));
    const { rows } = await pool.query<Served>(`select count(*)::text as rows, sum(hashtextextended(row(${told.join(', ')})::text, 0)::numeric)::text as checksum from ${schema}.${view}`);
    if (rows[0] !== undefined) served[name] = rows[0];
  }
  return served;
}

const LINEAGE: readonly string[] = ['cycle_id', 'generation', 'raw_object', 'raw_line'];
