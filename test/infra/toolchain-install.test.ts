import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identify } from '../../infra/local/process-identity';
import { cacheFolder, fillFolder } from '../../infra/local/toolchain/cache';
import { run } from '../../infra/local/toolchain/command';
import { installTools } from '../../infra/local/toolchain/install-tools';
import type { Tool } from '../../infra/local/toolchain/tool';

const ROOT = join(__dirname, '..', '..');
let cache: string;
let notes: string[];
const progress = { note: (message: string) => void notes.push(message), advance: () => undefined };

beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'meridian-cache-'));
  process.env['MERIDIAN_CACHE'] = cache;
  notes = [];
});
afterEach(() => {
  delete process.env['MERIDIAN_CACHE'];
  rmSync(cache, { recursive: true, force: true });
});

/** A tool that is a file, and whose installation is given. */
function fileTool(name: string, fill: (partial: string) => Promise<unknown>, more: Partial<Tool> = {}): Tool {
  const path = join(cacheFolder(), name, 'tool');
  const found = { version: '1', path, env: {} };
  return {
    name,
    title: `Tool ${name}`,
    downloadMb: 1,
    diskMb: 1,
    seconds: 1,
    locate: async () => (existsSync(path) ? found : undefined),
    install: async () => {
      await fillFolder(join(cacheFolder(), name), async (partial) => void (await fill(partial)));
      return found;
    },
    ...more,
  };
}

const writeTool = async (partial: string) => writeFileSync(join(partial, 'tool'), 'whole');

describe('Installing tools', () => {
  test('says size, disk and what is missing before the first download, and installs nothing twice', async () => {
    let installs = 0;
    const tools = [fileTool('a', async (partial) => ((installs += 1), await writeTool(partial))), fileTool('b', writeTool)];

    await installTools(tools, progress);
    const announced = notes.join('\n');
    const found = await installTools(tools, progress);

    expect(announced).toMatch(/2 MB to download, 2 MB on disk.*\d+ MB free.*1 minutes/);
    expect(announced.indexOf('· Tool a')).toBeLessThan(announced.indexOf('✔ Tool a'));
    expect(installs).toBe(1);
    expect([...found.keys()].sort()).toEqual(['a', 'b']);
    expect(readdirSync(cache).sort()).toEqual(['a', 'b']); // neither lock nor half a folder
  });

  test('a download that breaks is tried once more, and a second break leaves no half tool behind', async () => {
    const broken = fileTool('broken', async (partial) => {
      writeFileSync(join(partial, 'tool'), 'half');
      await run('sh', ['-c', 'echo connection reset >&2; exit 7'], { timeoutMs: 10_000 });
    });

    await expect(installTools([broken], progress)).rejects.toThrow(/exit code 7.*\n.*connection reset/s);

    expect(notes.filter((note) => note.includes('Trying once more'))).toHaveLength(1);
    expect(await broken.locate()).toBeUndefined();
    expect(readdirSync(cache)).toEqual([]);
  });

  test('the second attempt of a download that broke once completes the tool', async () => {
    let attempts = 0;
    const flaky = fileTool('flaky', async (partial) => {
      attempts += 1;
      await run('sh', ['-c', `exit ${attempts === 1 ? 7 : 0}`], { timeoutMs: 10_000 });
      await writeTool(partial);
    });

    const found = await installTools([flaky], progress);

    expect(readFileSync(found.get('flaky')?.path ?? '', 'utf8')).toBe('whole');
    expect(attempts).toBe(2);
  });

  test('after a failure the tools that were brought stay, so that the next set-up only does the rest', async () => {
    let goodInstalls = 0;
    const good = fileTool('good', async (partial) => ((goodInstalls += 1), await writeTool(partial)));
    let broken = true;
    const later = fileTool('later', async (partial) => {
      if (broken) throw new Error('the archive does not have the expected SHA-256');
      await writeTool(partial);
    });

    await expect(installTools([good, later], progress)).rejects.toThrow('expected SHA-256');
    broken = false;
    const found = await installTools([good, later], progress);

    expect([...found.keys()].sort()).toEqual(['good', 'later']);
    expect(goodInstalls).toBe(1);
  });

  test('at most two are installed at once, and one that is made with another waits for it', async () => {
    let now = 0;
    let most = 0;
    const order: string[] = [];
    const observed = (name: string, after: readonly string[] = []) =>
      fileTool(
        name,
        async (partial) => {
          most = Math.max(most, (now += 1));
          await sleep(20);
          await writeTool(partial);
          now -= 1;
          order.push(name);
        },
        { after },
      );

    await installTools([observed('made', ['a', 'b', 'c']), observed('a'), observed('b'), observed('c', ['here-already'])], progress);

    expect(most).toBe(2);
    expect(order.at(-1)).toBe('made');
  });

  test('a disk without room is refused before anything is fetched', async () => {
    const huge = fileTool('huge', () => Promise.reject(new Error('was installed')), { diskMb: 1e12 });

    await expect(installTools([huge], progress)).rejects.toThrow(/MB free, expected 1000000000001: make room, or set MERIDIAN_CACHE/);
  });

  test('of two set-ups at once one installs and the other finds what it brought', async () => {
    const first = spawnSetUp('sleep 2');
    await until(() => existsSync(join(cache, 'install.lock')));
    let installedHere = false;
    const tool = fileTool('shared', async (partial) => ((installedHere = true), await writeTool(partial)));

    const found = await installTools([tool], progress);
    await first.ended;

    expect(installedHere).toBe(false);
    expect(readFileSync(found.get('shared')?.path ?? '', 'utf8')).toBe('by the child\n');
    expect(notes.join()).toContain(`process ${first.pid}`);
  });

  test('a set-up that was killed holds nothing: the next one clears up and installs', async () => {
    const first = spawnSetUp('echo $$ > "$0"; exec sleep 600');
    const pid = join(cache, 'pids');
    await until(() => existsSync(pid) && readFileSync(pid, 'utf8').endsWith('\n'));
    process.kill(first.pid, 'SIGKILL');
    await first.ended;
    const leftBehind = readdirSync(cache).filter((entry) => entry !== 'pids');

    const found = await installTools([fileTool('shared', writeTool)], progress);
    process.kill(Number(readFileSync(pid, 'utf8')), 'SIGKILL');

    expect(leftBehind.sort()).toEqual([expect.stringMatching(/^\.partial-/), 'install.lock']);
    expect(readFileSync(found.get('shared')?.path ?? '', 'utf8')).toBe('whole');
    expect(readdirSync(cache).sort()).toEqual(['pids', 'shared']);
  });

  test('Ctrl-C ends what is being installed with all that it started, and leaves nothing half done', async () => {
    const first = spawnSetUp('echo $$ > "$0"; sleep 600 & echo $! >> "$0"; wait');
    const pids = join(cache, 'pids');
    await until(() => existsSync(pids) && readFileSync(pids, 'utf8').trim().split('\n').length === 2);
    const started = readFileSync(pids, 'utf8').trim().split('\n').map(Number);

    process.kill(first.pid, 'SIGINT');

    expect(await first.ended).toBe(130);
    await until(() => started.every((pid) => identify(pid) === undefined));
    expect(readdirSync(cache)).toEqual(['pids']);
  });
});

/** `installTools` in a process of its own, for one tool whose installation is a shell script. */
function spawnSetUp(script: string): { readonly pid: number; readonly ended: Promise<number | null> } {
  const source = `
    const { installTools } = require('./infra/local/toolchain/install-tools');
    const { fillFolder } = require('./infra/local/toolchain/cache');
    const { run } = require('./infra/local/toolchain/command');
    const found = { version: '1', path: ${JSON.stringify(join(cache, 'shared', 'tool'))}, env: {} };
    installTools([{ name: 'shared', title: 'Tool', downloadMb: 1, diskMb: 1, seconds: 1, locate: async () => undefined, install: async () => {
      await fillFolder(${JSON.stringify(join(cache, 'shared'))}, async (partial) => {
        await run('sh', ['-c', ${JSON.stringify(script)}, ${JSON.stringify(join(cache, 'pids'))}], { timeoutMs: 60_000 });
        await run('sh', ['-c', 'echo by the child > tool'], { cwd: partial, timeoutMs: 60_000 });
      });
      return found;
    } }], { note: () => undefined, advance: () => undefined });`;
  const child = spawn(process.execPath, ['-r', 'tsx/cjs', '-e', source], { cwd: ROOT, env: { ...process.env, MERIDIAN_CACHE: cache }, stdio: ['ignore', 'ignore', 'inherit'] });
  if (child.pid === undefined) throw new Error('The set-up did not start');
  return { pid: child.pid, ended: new Promise((resolve) => child.once('exit', (code) => resolve(code))) };
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`Not within 30 seconds: ${condition.toString()}`);
    await sleep(25);
  }
}
