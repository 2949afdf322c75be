import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { barsSvg, headroom } from '../../bench/plots';
import { cpuSecondsOf, measured, median, parseStat, quantile, ticksBelow } from '../../bench/measure';
import { shownRuns } from '../../bench/page';
import { held, type RecordedRun, told } from '../../bench/results';
import { figure } from '../../bench/text';

const ROOT = join(__dirname, '..', '..');
const bench = async (...args: string[]) => {
  const command = [join(ROOT, 'node_modules', 'tsx', 'dist', 'cli.mjs'), join(ROOT, 'bench', 'run.ts'), ...args];
  return promisify(execFile)(process.execPath, command, { cwd: ROOT }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({ code, stdout, stderr }),
  );
};

describe('numbers of a benchmark (S2.16, X2, X12)', () => {
  test.each([
    ['at most', 0.9, 1, true, 0.9],
    ['at most', 1, 1, true, 1],
    ['at most', 1.1, 1, false, 1.1],
    ['at least', 0.9, 1, false, 0.9],
    ['at least', 1.1, 1, true, 1.1],
    ['at most', 0, 0, true, 1],
    ['at most', 2, 0, false, Infinity],
    ['at most', NaN, 1, false, NaN],
    ['at least', NaN, 1, false, NaN],
  ] as const)('%s: %d against %d holds: %s', (bound, value, limit, holds, ratio) => {
    expect(held('n', value, 's', bound, limit)).toMatchObject({ holds, ratio, limit });
  });

  test('a number without a limit is told, and neither holds nor breaks anything', () => {
    expect(told('n', 1234.56, 's')).toEqual({ name: 'n', value: 1235, unit: 's', limit: null, bound: null, ratio: null, holds: null });
    expect(figure(told('n', 1234.56, 's'))).toBe('1,235 s');
    expect(figure(held('n', 2, 's', 'at most', 1))).toBe('2 s (at most 1: DOES NOT HOLD)');
  });

  test('median and quantiles lie between their neighbours, and are NaN of nothing', () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3]), quantile([1, 2, 3, 4, 5], 0.9)]).toEqual([2, 2.5, 4.6]);
    expect(median([])).toBeNaN();
  });

  test('a process is counted with all below it, once, and with what it waited for', () => {
    expect(parseStat(7, '7 (a (b) c) S 3 7 7 0 -1 4194304 1 2 3 4 10 20 30 40 20 0 1 0 5')).toEqual({ pid: 7, parent: 3, ticks: 100 });
    const tree = [[1, 0, 1], [2, 1, 10], [3, 2, 100], [4, 0, 1_000]].map(([pid = 0, parent = 0, ticks = 0]) => ({ pid, parent, ticks }));
    expect([ticksBelow(tree, [2]), ticksBelow(tree, [2, 3]), ticksBelow(tree, [1, 4])]).toEqual([110, 110, 1_111]);
  });

  test('CPU seconds of a child that has ended are counted, and its work shows', async () => {
    const spin = 'const end = process.cpuUsage().user + 3e5; while (process.cpuUsage().user < end);';
    const { usage } = await measured([process.pid], () => promisify(execFile)(process.execPath, ['-e', spin]));
    expect(usage.cpuSeconds).toBeGreaterThanOrEqual(0.29);
    expect(usage.peakMb).toBeGreaterThan(10);
    expect(cpuSecondsOf([])).toBe(0);
  });

  test('a picture shows how many times better than its limit each number is, whichever side is the good one', () => {
    const [fast, slow] = [held('b/fast', 0.5, 's', 'at most', 1), held('b/slow & small', 50, 'a minute', 'at least', 100)];
    expect([headroom(fast), headroom(slow), headroom(told('b/x', 1, 's'))]).toEqual([2, 0.5, undefined]);
    const svg = barsSvg('b', [fast, slow].map((result) => ({ result, earlier: [result] })));
    expect(svg.match(/<rect [^>]*fill="#(2f855a|c53030)"/g)).toHaveLength(2);
    expect(svg).toContain('slow &amp; small');
  });

  test('the page shows full runs where there are any', () => {
    const run = (bench: string, size: 'quick' | 'full') => ({ bench, size }) as RecordedRun;
    const runs = [run('a', 'quick'), run('a', 'full'), run('b', 'quick'), run('a', 'quick')];
    expect([shownRuns(runs, 'a'), shownRuns(runs, 'b')]).toEqual([[run('a', 'full')], [run('b', 'quick')]]);
  });
});

describe('npm run bench', () => {
  test('a name that is no benchmark is wrong usage, and says which there are', async () => {
    expect(await bench('nothing')).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('cycle-overhead') as string });
  });
  test('a benchmark runs on real engines and gives one document whose results say whether they hold (S2.16)', async () => {
    const { stdout, stderr } = await bench('load', '--quick', '--json', '--no-record');
    const document = JSON.parse(stdout) as { readonly results: readonly object[]; readonly runs: readonly object[]; readonly failed: readonly object[] };
    expect(document).toMatchObject({ failed: [], runs: [{ bench: 'load', size: 'quick' }] });
    expect(document.results).toContainEqual(expect.objectContaining({ name: 'load/2-streams/rate-by-psql', unit: 'of psql \\copy', limit: 0.7, bound: 'at least' }));
    expect(stderr).toContain("the machine's load is");
  });
  test('--help names every benchmark, and an unknown option is wrong usage', async () => {
    expect(await bench('--help')).toMatchObject({ code: 0, stdout: expect.stringMatching(/cycle-overhead: what does/) as string });
    expect(await bench('--fast')).toMatchObject({ code: 2 });
  });
});
