import { join } from 'node:path';
import { AWS, startAws } from './aws-process';
import { withLock } from './lock';
import { claimable, freePort } from './ports';
import { POSTGRES, startPostgres } from './postgres';
import { readerPassword } from './postgres-passwords';
import { findProcess, knownProcesses, stopProcess } from './processes';
import { type Progress, silent } from './progress';
import { mergeStackEnv, readStackEnv } from './stack-env';
import { StackError } from './stack-error';
import { assertStackFolder, removeStackFolder } from './stack-folder';
import { startTemporal, TEMPORAL } from './temporal';
import { ensureToolchain, STACK_TOOLS } from './toolchain';
import { cacheFolder, fingerprint } from './toolchain/cache';

/** Where the parts listen on 127.0.0.1. 0 takes a free port. */
export interface StackPorts {
  readonly temporal: number;
  readonly temporalUi: number;
  readonly postgres: number;
  readonly aws: number;
}

export interface StackOptions {
  readonly home: string;
  readonly ports: StackPorts;
  readonly progress: Progress;
  /** More settings of the local AWS, as environment variables; `python -m meridian_aws --help` has the list. */
  readonly awsSettings?: Readonly<Record<string, string>>;
  /** The local AWS holds every call against its caller's policies. A stack that once did so always does. */
  readonly auth?: boolean;
}

export interface RunningStack {
  /** What the worker and the CLI read. */
  readonly env: Readonly<Record<string, string>>;
  readonly temporalUi: string;
  /** For readers of the views, with its password: for the owner's eyes. */
  readonly postgresUrl: string;
  readonly awsEndpoint: string;
}

const PORT_VARIABLES = {
  temporal: { variable: 'MERIDIAN_TEMPORAL_PORT', usual: 7233, what: 'Temporal', process: TEMPORAL },
  temporalUi: { variable: 'MERIDIAN_TEMPORAL_UI_PORT', usual: 8233, what: "Temporal's Web UI", process: TEMPORAL },
  postgres: { variable: 'MERIDIAN_POSTGRES_PORT', usual: 54321, what: 'PostgreSQL', process: POSTGRES },
  aws: { variable: 'MERIDIAN_AWS_PORT', usual: 4566, what: 'the local AWS', process: AWS },
} as const;
/** Stopped in this order: whoever uses another first. */
const STOP_ORDER = ['worker', AWS, TEMPORAL, POSTGRES];
/** Longer than the longest start or stop, each of which is bounded itself. */
const LOCK_WAIT_MS = 4 * 60_000;

/** The ports that the environment chooses, else the usual ones. */
export function stackPorts(env: NodeJS.ProcessEnv = process.env): StackPorts {
  const port = (name: keyof StackPorts): number => {
    const { variable, usual } = PORT_VARIABLES[name];
    const value = env[variable] ?? String(usual);
    if (!/^\d{1,5}$/.test(value) || Number(value) > 65_535) {
      throw new StackError(`${variable}: expected a port from 1 to 65535, or 0 for a free one, found "${value}"`);
    }
    return Number(value);
  };
  return { temporal: port('temporal'), temporalUi: port('temporalUi'), postgres: port('postgres'), aws: port('aws') };
}

/**
 * Starts what does not run of Temporal, PostgreSQL and the local AWS, all on loopback, and writes their settings to
 * `<home>/stack.env`. Safe to run twice, and on a stack of which a part has died.
 * @throws StackError when a tool cannot be had, a port is taken, or a part does not come up
 */
export async function startStack({ home, ports, progress, awsSettings = {}, auth = false }: StackOptions): Promise<RunningStack> {
  assertStackFolder(home);
  const tools = await ensureToolchain(STACK_TOOLS, progress);
  return await alone(home, progress, async () => {
    const chosen = await claimPorts(home, ports);
    const started = await Promise.allSettled([
      startTemporal({ home, executable: tools.temporal.path, port: chosen.temporal, uiPort: chosen.temporalUi }),
      startPostgres({ home, server: tools.postgres, port: chosen.postgres }),
      startAws({
        home,
        python: tools.python.path,
        jars: tools.jars.path,
        port: chosen.aws,
        auth,
        settings: awsSettings,
        ...(tools.java.env['JAVA_HOME'] === undefined ? {} : { javaHome: tools.java.env['JAVA_HOME'] }),
      }),
    ]);
    // All have settled: nothing starts behind the back of whoever reads the error.
    const [temporal, postgres, aws] = started;
    if (temporal.status === 'rejected') throw temporal.reason;
    if (postgres.status === 'rejected') throw postgres.reason;
    if (aws.status === 'rejected') throw aws.reason;
    const env = mergeStackEnv(home, {
      ...postgres.value,
      ...aws.value,
      TEMPORAL_ADDRESS: temporal.value.address,
      TEMPORAL_NAMESPACE: 'default',
      MERIDIAN_TEMPORAL_UI: temporal.value.ui,
      MERIDIAN_WORK_DIR: join(home, 'work'),
      MERIDIAN_PYTHON: tools.python.path,
    });
    return describeStack(home, env);
  });
}

export interface StopOptions {
  readonly home: string;
  /** Removes the stack's folder too. */
  readonly purge: boolean;
  readonly progress?: Progress;
}

/**
 * Stops every process of the stack. Safe to run twice, and where there never was a stack.
 * @returns the names of what was stopped
 * @throws StackError when asked to remove a folder that is no stack's
 */
export async function stopStack({ home, purge, progress = silent }: StopOptions): Promise<readonly string[]> {
  assertStackFolder(home);
  return await alone(home, progress, async () => {
    const known = knownProcesses(home);
    const ordered = [...STOP_ORDER.filter((name) => known.includes(name)), ...known.filter((name) => !STOP_ORDER.includes(name))];
    const stopped: string[] = [];
    for (const name of ordered) if (await stopProcess(home, name)) stopped.push(name);
    if (purge) removeStackFolder(home);
    return stopped;
  });
}

export interface PartStatus {
  readonly name: string;
  readonly running: boolean;
  readonly pid?: number;
  readonly startedAt?: string;
  readonly ports?: readonly number[];
}

/** What runs of the stack. */
export function stackStatus(home: string): { readonly parts: readonly PartStatus[]; readonly stack: RunningStack | undefined } {
  const names = [...new Set([...STOP_ORDER, ...knownProcesses(home)])].reverse();
  const parts = names.map((name) => {
    const record = findProcess(home, name);
    if (record === undefined) return { name, running: false };
    const ports = Object.values(record.settings).map(Number);
    return { name, running: true, pid: record.pid, startedAt: record.startedAt, ports };
  });
  const env = readStackEnv(home);
  return { parts, stack: env['TEMPORAL_ADDRESS'] === undefined ? undefined : describeStack(home, env) };
}

export interface PortStatus {
  readonly what: string;
  readonly port: number;
  readonly variable: string;
  /** Why the stack could not take it; absent while it is free or the stack's own. */
  readonly taken?: string;
}

/** Whether the stack could listen where it is told to. */
export async function portStatus(home: string, ports: StackPorts): Promise<readonly PortStatus[]> {
  return await Promise.all(
    (Object.keys(PORT_VARIABLES) as (keyof StackPorts)[]).map(async (name) => {
      const { what, variable, process } = PORT_VARIABLES[name];
      const status = { what, port: ports[name], variable };
      if (ports[name] === 0 || findProcess(home, process) !== undefined) return status;
      return await claimable(ports[name], what, variable).then(
        () => status,
        (error: unknown) => ({ ...status, taken: error instanceof Error ? error.message : String(error) }),
      );
    }),
  );
}

function describeStack(home: string, env: Readonly<Record<string, string>>): RunningStack {
  const { PGHOST = '', PGPORT = '', PGDATABASE = '' } = env;
  return {
    env,
    temporalUi: env['MERIDIAN_TEMPORAL_UI'] ?? '',
    postgresUrl: `postgresql://meridian_reader:${readerPassword(home)}@${PGHOST}:${PGPORT}/${PGDATABASE}`,
    awsEndpoint: env['AWS_ENDPOINT_URL'] ?? '',
  };
}

/** A part that runs keeps its port; for the others it must be free. */
async function claimPorts(home: string, ports: StackPorts): Promise<StackPorts> {
  const claimed = { ...ports };
  for (const name of Object.keys(PORT_VARIABLES) as (keyof StackPorts)[]) {
    const { variable, what, process } = PORT_VARIABLES[name];
    if (findProcess(home, process) !== undefined) continue;
    if (ports[name] === 0) {
      do claimed[name] = await freePort();
      while (Object.entries(claimed).some(([other, port]) => other !== name && port === claimed[name]));
    } else {
      await claimable(ports[name], what, variable);
    }
  }
  return claimed;
}

/** Of two commands that start or stop the same stack, one waits. */
async function alone<T>(home: string, progress: Progress, body: () => Promise<T>): Promise<T> {
  return await withLock(
    {
      // Not in the folder itself, which `purge` removes.
      path: join(cacheFolder(), 'locks', fingerprint(home)),
      waitMs: LOCK_WAIT_MS,
      onWait: ({ pid }) => progress.note(`Process ${pid} is starting or stopping this stack: waiting for it`),
    },
    body,
  );
}
