import { mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SegmentCache } from '../../activities/ledger/segment-cache';
import { withScratch } from '../../activities/ledger/scratch';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'meridian-scratch-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const HOUR_MS = 3_600_000;
const NOW = Date.parse('2026-11-21T12:00:00Z');
const age = (path: string, hours: number) => utimes(path, new Date(NOW - hours * HOUR_MS), new Date(NOW - hours * HOUR_MS));
const exists = (path: string) => stat(path).then(() => true, () => false);

const fill = (cache: SegmentCache, path: string, sizeBytes: number) => cache.fill(path, sizeBytes, (file) => file.appendFile(Buffer.alloc(sizeBytes)));

test('a file is found again by its name and size, one that was cut is not, and a failed write leaves nothing', async () => {
  const cache = new SegmentCache(dir, 1_000);
  const path = cache.pathOf('positions', '2018-08-01', 'abc');
  expect(await cache.touch(path, 1)).toBe(false);
  await expect(cache.fill(path, 4, async (file) => {
    await file.appendFile('half');
    throw new Error('disk');
  })).rejects.toThrow('disk');
  expect(await cache.fill(path, 5, (file) => file.appendFile('half'))).toBe(false);
  expect(await readdir(join(dir, 'positions', '2018-08-01'))).toEqual([]);
  expect(await fill(cache, path, 1)).toBe(true);
  expect(await cache.touch(path, 1)).toBe(true);
  expect(await cache.touch(path, 16)).toBe(false);
});

test('a file that is asked for counts as used now', async () => {
  const cache = new SegmentCache(dir, 1_000);
  const path = cache.pathOf('positions', '2018-08-01', 'abc');
  await fill(cache, path, 1);
  await utimes(path, new Date(0), new Date(0));
  expect(await cache.touch(path, 1)).toBe(true);
  expect(Date.now() - (await stat(path)).mtimeMs).toBeLessThan(HOUR_MS);
});

test('beyond its size the least recently used files go, but none that may be in use', async () => {
  const cache = new SegmentCache(dir, 250);
  const paths = ['a', 'b', 'c', 'd', 'e'].map((name) => cache.pathOf('positions', '2018-08-01', name));
  for (const [index, path] of paths.entries()) {
    await fill(cache, path, 100);
    await age(path, [5, 9, 7, 0.5, 0.1][index] ?? 0);
  }
  await cache.trim(NOW);
  expect(await Promise.all(paths.map(exists))).toEqual([false, false, false, true, true]);

  const full = new SegmentCache(dir, 50);
  await full.trim(NOW);
  expect(await Promise.all(paths.map(exists))).toEqual([false, false, false, true, true]);
});

test('an empty cache can be trimmed', async () => {
  await new SegmentCache(join(dir, 'never-made'), 1).trim(NOW);
});

test('scratch goes with its work, however that ends; a killed process\'s goes a day later', async () => {
  const work = join(dir, 'chunks');
  const [old, recent] = [join(work, 'chunk-old'), join(work, 'chunk-recent')];
  for (const path of [old, recent]) await mkdir(path, { recursive: true });
  await writeFile(join(old, 'lines'), 'x');
  await age(old, 25);
  await age(recent, 23);

  let seen = '';
  await expect(withScratch(work, NOW, async (path) => {
    seen = path;
    await writeFile(join(path, 'lines'), 'x');
    throw new Error('died');
  })).rejects.toThrow('died');

  expect(await Promise.all([seen, old, recent].map(exists))).toEqual([false, false, true]);
});
