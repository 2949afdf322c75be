import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, closeSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../infra/local/ports';
import { jars } from '../../infra/local/toolchain/jars';
import { python } from '../../infra/local/toolchain/python';

const HOST = '127.0.0.1';
const PACKAGE = resolve(__dirname, '..', '..', 'infra', 'local', 'aws');
const READY_MS = 60_000;
const STOP_MS = 30_000;

/** A private local AWS with its own state. */
export interface LocalAws {
  readonly endpoint: string;
  readonly port: number;
  /** Holds the state; the log is `<home>/log`. */
  readonly home: string;
  /** The interpreter that it runs in, with pyarrow and boto3. */
  readonly python: string;
  /** For AWS SDK clients: `new S3Client(aws.clientConfig)`. */
  readonly clientConfig: {
    readonly endpoint: string;
    readonly region: string;
    readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  };
  /** For processes that read the environment. */
  readonly env: Readonly<Record<string, string>>;
  log(): string;
  /** Of the process that runs now; 0 when it did not start. */
  pid(): number;
  /** SIGTERM, as `down` does; the state stays for `restart`. */
  terminate(): Promise<void>;
  /** SIGKILL: nothing is saved, nothing is told. */
  kill(): Promise<void>;
  /** Starts it again over its state, on the same port. */
  restart(): Promise<void>;
  /** Ends it and removes its state. */
  stop(): Promise<void>;
}

/** Starts an emulator on a free port; `settings` are environment variables of `meridian_aws`. */
export async function startLocalAws(settings: Readonly<Record<string, string>> = {}): Promise<LocalAws> {
  const home = mkdtempSync(join(tmpdir(), 'meridian-aws-'));
  const port = await freePort();
  const endpoint = `http://${HOST}:${port}`;
  const tools = await locateTools();
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const region = 'us-east-1';
  let child = launch();

  function launch(): ChildProcess {
    const log = openSync(join(home, 'log'), 'a');
    const started = spawn(tools.python, ['-m', 'meridian_aws'], {
      cwd: home,
      env: {
        PATH: process.env['PATH'],
        HOME: process.env['HOME'],
        ...(process.env['JAVA_HOME'] === undefined ? {} : { JAVA_HOME: process.env['JAVA_HOME'] }),
        ...(process.env['MERIDIAN_SPARK_CLASS_ARCHIVE'] === undefined
          ? {}
          : { MERIDIAN_SPARK_CLASS_ARCHIVE: process.env['MERIDIAN_SPARK_CLASS_ARCHIVE'] }),
        PYTHONPATH: PACKAGE,
        PYTHONDONTWRITEBYTECODE: '1',
        BIND_HOST: HOST,
        GATEWAY_PORT: String(port),
        STATE_DIR: join(home, 'state'),
        MERIDIAN_SPARK_JARS: tools.jars,
        ...settings,
      },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    return started;
  }

  async function ready(): Promise<void> {
    const deadline = Date.now() + READY_MS;
    while (!(await answers(endpoint))) {
      if (child.exitCode !== null || Date.now() > deadline) {
        throw new Error(`The local AWS on ${endpoint} is not ready: ${logTail(home)}`);
      }
      await sleep(100);
    }
  }

  await ready();
  return {
    endpoint,
    port,
    home,
    python: tools.python,
    clientConfig: { endpoint, region, credentials },
    env: {
      AWS_ENDPOINT_URL: endpoint,
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    },
    pid: () => child.pid ?? 0,
    log: () => readFileSync(join(home, 'log'), 'utf8'),
    terminate: () => end(child, 'SIGTERM'),
    kill: () => end(child, 'SIGKILL'),
    async restart() {
      child = launch();
      await ready();
    },
    async stop() {
      await end(child, 'SIGTERM');
      rmSync(home, { recursive: true, force: true });
    },
  };
}

async function locateTools(): Promise<{ readonly python: string; readonly jars: string }> {
  const pythonPath = process.env['MERIDIAN_PYTHON'] ?? (await python.locate())?.path;
  const jarsPath = process.env['MERIDIAN_SPARK_JARS'] ?? (await jars.locate())?.path;
  if (pythonPath === undefined || jarsPath === undefined || !existsSync(jarsPath)) {
    throw new Error(
      'The local AWS needs its Python and jars: run `npx meridian up` once, or set MERIDIAN_PYTHON and MERIDIAN_SPARK_JARS',
    );
  }
  return { python: pythonPath, jars: jarsPath };
}

async function answers(endpoint: string): Promise<boolean> {
  try {
    return (await fetch(`${endpoint}/_ministack/health`, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    return false;
  }
}

async function end(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise<void>((done) => child.once('exit', () => done()));
  child.kill(signal);
  await Promise.race([exited, sleep(STOP_MS, undefined, { ref: false }).then(() => child.kill('SIGKILL'))]);
  await exited;
}

function logTail(home: string): string {
  return readFileSync(join(home, 'log'), 'utf8').split('\n').slice(-15).join('\n');
}
