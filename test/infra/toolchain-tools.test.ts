import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { silent } from '../../infra/local/progress';
import { StackError } from '../../infra/local/stack-error';
import { cacheFolder } from '../../infra/local/toolchain/cache';
import { run } from '../../infra/local/toolchain/command';
import { jars, JARS } from '../../infra/local/toolchain/jars';
import { maven } from '../../infra/local/toolchain/maven';
import { postgresServer } from '../../infra/local/toolchain/postgres-server';
import { temporalCli } from '../../infra/local/toolchain/temporal-cli';

const before = { ...process.env };
let folder: string;
let bin: string;

/** A machine with nothing on PATH but what a test puts there, and an empty cache. */
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'meridian-tools-'));
  bin = join(folder, 'bin');
  mkdirSync(bin);
  process.env['PATH'] = bin;
  process.env['MERIDIAN_CACHE'] = join(folder, 'cache');
  delete process.env['JAVA_HOME'];
});
afterEach(() => {
  for (const name of ['PATH', 'MERIDIAN_CACHE', 'JAVA_HOME']) {
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  }
  rmSync(folder, { recursive: true, force: true });
});

function executable(name: string, script: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(bin, name), 0o755);
}

describe('A missing binary', () => {
  test('without Go there is no Temporal to build: one error names both', async () => {
    await expect(temporalCli.install(silent)).rejects.toThrow(/^Neither `temporal` nor Go is on PATH: install one of them/);
  });

  test.each([
    ['Maven', () => maven(silent), 'maven'],
    ['PostgreSQL', () => postgresServer.install(silent), 'postgresql-15-postgis-3'],
  ])('%s that cannot be installed is named with its package and the way by containers', async (_name, install, debianPackage) => {
    const failure = await install().then(
      () => undefined,
      (error: unknown) => error,
    );

    expect(failure).toBeInstanceOf(StackError);
    expect(String(failure)).toContain(debianPackage);
    expect(String(failure)).toContain('docker-compose.temporal.yml');
  });
});

test.each([
  ['MERIDIAN_CACHE', { MERIDIAN_CACHE: '/given', XDG_CACHE_HOME: '/xdg' }, '/given'],
  ['XDG_CACHE_HOME', { XDG_CACHE_HOME: '/xdg' }, '/xdg/meridian'],
  ['the home folder for an empty one', { XDG_CACHE_HOME: '' }, join(homedir(), '.cache', 'meridian')],
  ['the home folder for a relative one', { XDG_CACHE_HOME: 'caches' }, join(homedir(), '.cache', 'meridian')],
])('the cache is outside the checkout: %s', (_what, env, folder) => {
  expect(cacheFolder(env)).toBe(folder);
});

describe('What is on the machine', () => {
  test.each([
    ['1.29.1', true],
    ['1.30.0', true],
    ['2.0.0', true],
    ['1.28.9', false],
    ['1.3.0', false],
  ])('a `temporal` with server %s is taken: %s', async (version, taken) => {
    executable('temporal', `echo "temporal version 1.9.9 (Server ${version}, UI 2.42.1)"`);

    const found = await temporalCli.locate();

    expect(found).toEqual(taken ? { version, path: join(bin, 'temporal'), env: {} } : undefined);
  });

  test('a `temporal` that does not run is none', async () => {
    executable('temporal', 'exit 127');

    expect(await temporalCli.locate()).toBeUndefined();
  });
});

describe('Jars by Maven', () => {
  const FAKE_MAVEN = `
    for word in "$@"; do
      case "$word" in
        -Dartifact=*) artifact=\${word#-Dartifact=} ;;
        -DoutputDirectory=*) output=\${word#-DoutputDirectory=} ;;
      esac
    done
    name=\${artifact#*:}
    echo 'not the jar' > "$output/\${name%%:*}-\${name#*:}.jar"`;

  test('one that is not the pinned one is refused by its SHA-256, and none is kept', async () => {
    executable('mvn', FAKE_MAVEN);

    await expect(jars.install(silent)).rejects.toThrow(/org\.apache\.sedona:.* has SHA-256 [0-9a-f]{64}, expected a83cf61d/);

    expect(readdirSync(cacheFolder())).toEqual([]);
    expect(await jars.locate()).toBeUndefined();
  });

  test('every pin is a SHA-256 of its own', () => {
    expect(new Set(JARS.map(({ sha256 }) => sha256)).size).toBe(JARS.length);
    for (const { sha256 } of JARS) expect(sha256).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('Commands', () => {
  test('one that takes too long is ended with all that it started', async () => {
    process.env['PATH'] = before['PATH'];
    const pid = join(folder, 'pid');

    await expect(run('sh', ['-c', 'sleep 600 & echo $! > "$0"; wait', pid], { timeoutMs: 500 })).rejects.toThrow(/not done after 1 seconds/);

    const child = Number(readFileSync(pid, 'utf8'));
    expect(readState(child)).toMatch(/^$|Z/);
  });

  test('arguments are data: no shell reads them', async () => {
    process.env['PATH'] = before['PATH'];

    const { stdout } = await run('printf', ['%s', '$(touch owned); `id` | & > x'], { timeoutMs: 10_000, cwd: folder });

    expect(stdout).toBe('$(touch owned); `id` | & > x');
    expect(readdirSync(folder)).toEqual(['bin']);
  });
});

/** The state letter of a process, empty for none. */
function readState(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) (\w).*$/s, '$1');
  } catch {
    return '';
  }
}
