import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { readJobRelation, relationOf } from '../../activities/job-relation';
import type { S3Pointer } from '../../domain/documents';
import { createActivities, openNight, putJobOutput, run, spec, type TestActivities } from '../../test/sql/fixture';
import { type ObjectStore, startObjectStore } from '../../test/sql/object-store';
import { nightEnd } from '../../test/faults/raw-night';
import { createTestDatabase, type TestDatabase } from '../../test/support/postgres';
import type { BenchContext, Benchmark } from '../benchmark';
import { combined, measured, median, type Usage } from '../measure';
import { held, type Result, told } from '../results';
import { copyByPsql } from './load/psql';

const STREAMS = [1, 2, 4] as const;
const PARTS = 8;
const RELATION = 'places';

/** Filling a candidate's table from COPY-ready parts, against psql with the same bytes from the local disk. */
export const load: Benchmark = {
  name: 'load',
  title: 'how fast are COPY-ready parts in a table, beside psql \\copy of the same parts?',
  async run(context) {
    const [test, store] = await Promise.all([createTestDatabase(), startObjectStore({ sdkChecks: true })]);
    try {
      return await measureLoads(context, test, store);
    } finally {
      await Promise.all([test.stop(), store.stop()]);
    }
  },
};

async function measureLoads({ quick, scratch, note }: BenchContext, test: TestDatabase, store: ObjectStore) {
  const rows = quick ? 200_000 : 4_000_000; // in full, parts of 32 MB, as large as the job writes them
  const activities = createActivities(test, store.s3, async () => true);
  const { cycle } = await openNight(activities, nightEnd(1));
  const manifest = await putJobOutput(test, store.s3, cycle, { rows, parts: PARTS, night: 'bench' });
  const files = await downloadParts(store, manifest, scratch);
  let nights = 1;
  const results: Result[] = [];
  const usages: Usage[] = [];
  for (const streams of STREAMS) {
    note(`${rows.toLocaleString('en-US')} rows in ${PARTS} parts, ${streams} at once`);
    const ours: Usage[] = [];
    const theirs: Usage[] = [];
    // By turns: what the machine does meanwhile meets both.
    for (let round = 0; round < (quick ? 2 : 4); round += 1) {
      const { table, ...candidate } = await makeCandidate(activities, ++nights, manifest);
      await test.pool.query(`create table peer (like ${table})`);
      theirs.push((await measured([process.pid], () => copyByPsql(test.config, 'peer', files, streams))).usage);
      ours.push((await measured([process.pid], () => run(activities.loadRelation, { ...candidate, manifest, parallelism: streams }))).usage);
      await expectSameRows(test, table, rows);
      await test.pool.query('drop table peer');
      await run(activities.dropCandidates, { cycle: candidate.cycle });
    }
    usages.push(...ours);
    const [mine, psql] = [ours, theirs].map((side) => median(side.map(({ seconds }) => seconds)));
    const name = (what: string) => `load/${streams}-streams/${what}`;
    results.push(held(name('rate-by-psql'), (psql ?? NaN) / (mine ?? NaN), 'of psql \\copy', 'at least', 0.7));
    results.push(told(name('rate'), rows / (mine ?? NaN), 'rows/s'));
    results.push(told(name('cpu'), (median(ours.map(({ cpuSeconds }) => cpuSeconds)) / rows) * 1e6, `CPU-s a million rows with PostgreSQL's and S3's, psql ${((median(theirs.map(({ cpuSeconds }) => cpuSeconds)) / rows) * 1e6).toFixed(2)}`));
  }
  return { results, usage: combined(usages) };
}

/** A night of its own with an empty table. */
async function makeCandidate(activities: TestActivities, night: number, manifest: S3Pointer) {
  const { cycle, epoch } = await openNight(activities, nightEnd(night));
  const { version, table } = await run(activities.createCandidate, { cycle, spec, epoch, relation: RELATION, manifest });
  return { cycle, spec, relation: RELATION, version, table };
}

/** The very objects of the manifest, as files. */
async function downloadParts({ s3 }: ObjectStore, manifest: S3Pointer, scratch: string): Promise<readonly string[]> {
  const { copyParts } = await readJobRelation(s3, manifest, relationOf(spec, RELATION));
  const files: string[] = [];
  for (const [index, { uri }] of copyParts.entries()) {
    const path = join(scratch, `part-${index}`);
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: manifest.bucket, Key: new URL(uri).pathname.slice(1) }));
    await pipeline(Body as Readable, createWriteStream(path));
    files.push(path);
  }
  return files;
}

/** @throws Error when a side did not load everything: its time means nothing then */
async function expectSameRows({ pool }: TestDatabase, table: string, expected: number): Promise<void> {
  const { rows } = await pool.query<{ ours: string; psql: string }>(`select (select count(*) from ${table}) as ours, (select count(*) from peer) as psql`);
  const [found] = rows;
  if (Number(found?.ours) !== expected || Number(found?.psql) !== expected) throw new Error(`Expected ${expected} rows on both sides, found ${JSON.stringify(found)}`);
}
