import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { type Delivery, objectsOf } from '../../bench/cases/whole-cycle/records';
import { cpuSecondsOf, memoryMbOf } from '../../bench/measure';

const EARLIER = { day: '2019-12-09', from: 0, to: 1_000 };

describe('a large night of the benchmarks', () => {
  let scratch = '';
  beforeAll(() => {
    scratch = mkdtempSync(join(tmpdir(), 'large-night-'));
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  async function delivered(delivery: Delivery) {
    const objects: { readonly key: string; readonly lines: readonly string[] }[] = [];
    for await (const { key, body } of objectsOf(delivery, scratch)) objects.push({ key, lines: gunzipSync(body).toString('utf8').trim().split('\n') });
    return objects;
  }

  test('a record that comes again is the same, and all others are of the day that they are said to be of, each at an instant of its own', async () => {
    const [before] = await delivered({ arrives: '2019-12-09', records: [EARLIER] });
    const [again, ...fresh] = await delivered({ arrives: '2019-12-10', records: [EARLIER, { day: '2019-12-10', from: 1_000, to: 51_500 }] });

    expect(before?.key).toMatch(/^mobile-geolocation\/2019\/12\/09\/23\//);
    expect(again?.key).toMatch(/^mobile-geolocation\/2019\/12\/10\/23\//);
    expect(again?.lines).toEqual(before?.lines);
    expect(fresh.map(({ lines }) => lines.length)).toEqual([50_000, 500]);
    const times = fresh.flatMap(({ lines }) => lines.map((line) => (JSON.parse(line) as { readonly timestamp: number }).timestamp));
    expect(new Set(times).size).toBe(50_500);
    expect(new Set(times.map((time) => new Date(time).toISOString().slice(0, 10)))).toEqual(new Set(['2019-12-10']));
  });

  test('memory is that of a process and all below it, and nothing for one that has ended', async () => {
    const child = spawn(process.execPath, ['-e', "const held = Buffer.alloc(64 * 1024 ** 2, 1); process.stdout.write('.'); setInterval(() => held.length, 1000)"]);
    const pid = child.pid ?? 0;
    await once(child.stdout, 'data');

    const mb = memoryMbOf([pid]);
    const together = memoryMbOf([process.pid]);

    child.kill();
    await once(child, 'close');
    expect(mb).toBeGreaterThan(64);
    expect(together).toBeGreaterThan(mb);
    expect([memoryMbOf([pid]), cpuSecondsOf([pid])]).toEqual([0, 0]);
  });
});
