import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { SEARCH_ATTRIBUTES } from '../../domain/search-attribute-names';
import { isListening } from './ports';
import { findProcess, startProcess, waitUntilReady } from './processes';
import { outputOf } from './toolchain/command';

const HOST = '127.0.0.1';
export const TEMPORAL = 'temporal';

/**
 * A cycle's activities come one after another. A worker that asks for its next one together with its answer to the last
 * spares both a poll; and SQLite writes ahead to one log instead of rewriting its file at each commit: what was committed outlives the
 * server's kill as before, and only the machine's own crash may take the last moments. A shard, of which this server has one, looks for
 * new tasks at most 20 times a second unless told otherwise: 50 ms for each step. What it saves: docs/performance.md, `server-settings`.
 */
export const SPEED_SETTINGS: readonly string[] = [
  ...['--dynamic-config-value', 'system.enableActivityEagerExecution=true'],
  ...['--dynamic-config-value', 'history.transferProcessorMaxPollRPS=200'],
  ...['--sqlite-pragma', 'journal_mode=wal', '--sqlite-pragma', 'synchronous=normal'],
];

export interface TemporalOptions {
  readonly home: string;
  /** The `temporal` executable. */
  readonly executable: string;
  readonly port: number;
  readonly uiPort: number;
}

export interface TemporalAddress {
  readonly address: string;
  readonly ui: string;
}

/** Temporal's dev server with its Web UI, on loopback, its state in `<home>/temporal.db`. Safe to run twice. */
export async function startTemporal({ home, executable, port, uiPort }: TemporalOptions): Promise<TemporalAddress> {
  mkdirSync(home, { recursive: true });
  const record =
    findProcess(home, TEMPORAL) ??
    (await startProcess(home, {
      name: TEMPORAL,
      command: executable,
      args: [
        ...['server', 'start-dev', '--ip', HOST, '--ui-ip', HOST, '--port', String(port), '--ui-port', String(uiPort)],
        ...['--db-filename', join(home, 'temporal.db'), '--log-level', 'error', ...SPEED_SETTINGS],
        ...Object.entries(SEARCH_ATTRIBUTES).flatMap(([name, type]) => ['--search-attribute', `${name}=${type}`]),
      ],
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'] },
      cwd: home,
      stopSignal: 'SIGINT',
      settings: { port, uiPort },
    }));
  const [actualPort, actualUiPort] = [Number(record.settings['port']), Number(record.settings['uiPort'])];
  const address = `${HOST}:${actualPort}`;
  await waitUntilReady(home, record, async () => (await isListening(actualPort)) && (await serves(executable, address)), 60_000);
  return { address, ui: `http://${HOST}:${actualUiPort}` };
}

/** A listening port is not a served namespace yet: workers that come too early fail. */
async function serves(executable: string, address: string): Promise<boolean> {
  return (await outputOf(executable, ['operator', 'namespace', 'describe', '--namespace', 'default', '--address', address])) !== undefined;
}
