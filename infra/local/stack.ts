import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { AWS, startAws } from './aws-process';
import { claimable, freePort } from './ports';
import { POSTGRES, readerPassword, startPostgres } from './postgres';
import { findProcess, knownProcesses, stopProcess } from './processes';
import type { Progress } from './progress';
import { mergeStackEnv, readStackEnv } from './stack-env';
import { StackError } from './stack-error';
import { startTemporal, TEMPORAL } from './temporal';
import { ensureToolchain } from './toolchain';

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
export async function startStack({ home, ports, progress }: StackOptions): Promise<RunningStack> {
  const tools = await ensureToolchain(['temporal', 'python', 'jars', 'postgres', 'java'], progress);
  const chosen = await claimPorts(home, ports);
  const [temporal, postgres, aws] = await Promise.all([
    startTemporal({ home, executable: tools.temporal.path, port: chosen.temporal, uiPort: chosen.temporalUi }),
    startPostgres({ home, bin: tools.postgres.path, port: chosen.postgres }),
    startAws({
      home,
      python: tools.python.path,
      jars: tools.jars.path,
      port: chosen.aws,
      ...(tools.java.env['JAVA_HOME'] === undefined ? {} : { javaHome: tools.java.env['JAVA_HOME'] }),
    }),
  ]);
  const env = mergeStackEnv(home, {
    ...postgres,
    ...aws,
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: 'default',
    MERIDIAN_TEMPORAL_UI: temporal.ui,
    MERIDIAN_WORK_DIR: resolve(home, 'work'),
    MERIDIAN_PYTHON: tools.python.path,
  });
  return describeStack(home, env);
}

/** Stops every process of the stack; with `purge` removes its folder too. Safe to run twice. @returns what was stopped */
export async function stopStack({ home, purge }: { readonly home: string; readonly purge: boolean }): Promise<readonly string[]> {
  const known = knownProcesses(home);
  const ordered = [...STOP_ORDER.filter((name) => known.includes(name)), ...known.filter((name) => !STOP_ORDER.includes(name))];
  const stopped: string[] = [];
  for (const name of ordered) if (await stopProcess(home, name)) stopped.push(name);
  if (purge) rmSync(home, { recursive: true, force: true });
  return stopped;
}

export interface PartStatus {
  readonly name: string;
  readonly running: boolean;
  readonly pid?: number;
  readonly startedAt?: string;
}

/** What runs of the stack. */
export function stackStatus(home: string): { readonly parts: readonly PartStatus[]; readonly stack: RunningStack | undefined } {
  const names = [...new Set([...STOP_ORDER, ...knownProcesses(home)])].reverse();
  const parts = names.map((name) => {
    const record = findProcess(home, name);
    return record === undefined ? { name, running: false } : { name, running: true, pid: record.pid, startedAt: record.startedAt };
  });
  const env = readStackEnv(home);
  return { parts, stack: env['TEMPORAL_ADDRESS'] === undefined ? undefined : describeStack(home, env) };
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
  const claimed = await Promise.all(
    (Object.keys(PORT_VARIABLES) as (keyof StackPorts)[]).map(async (name) => {
      const { variable, what, process } = PORT_VARIABLES[name];
      if (findProcess(home, process) !== undefined) return [name, ports[name]] as const;
      if (ports[name] === 0) return [name, await freePort()] as const;
      await claimable(ports[name], what, variable);
      return [name, ports[name]] as const;
    }),
  );
  return Object.fromEntries(claimed) as unknown as StackPorts;
}
