import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { StackError } from '../stack-error';

/** What a command printed. */
export interface CommandOutput {
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly timeoutMs: number;
  readonly account?: { readonly uid: number; readonly gid: number };
  /** Called with each line of either stream. */
  readonly onLine?: (line: string) => void;
}

/** A command ran and failed: a download may have broken, so that another try can help. */
export class CommandFailed extends StackError {}

/** Commands that run now, each the leader of a process group. */
const running = new Set<ChildProcess>();

/** Ends every command that this process runs, with all that they started. */
export function endRunningCommands(): void {
  for (const child of running) killGroup(child);
}

/** The first executable of that name on PATH. */
export function onPath(name: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

/** True for a file that this user may execute. */
export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * Runs a command to its end; arguments are never parsed by a shell.
 * @throws CommandFailed with the command and its last output lines when it fails or takes longer than `timeoutMs`
 */
export async function run(command: string, args: readonly string[], options: RunOptions): Promise<CommandOutput> {
  const child = spawn(command, args, {
    env: { ...process.env, ...options.env },
    cwd: options.cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // a group of its own: compilers and build back ends end with the command
    ...options.account,
  });
  running.add(child);
  let overdue = false;
  const timer = setTimeout(() => {
    overdue = true;
    killGroup(child);
    // What left the group may hold the pipes open: nobody waits for it.
    child.stdout.destroy();
    child.stderr.destroy();
  }, options.timeoutMs);
  const output = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      output[stream] += text;
      if (options.onLine !== undefined) text.split('\n').filter((line) => line.trim() !== '').forEach(options.onLine);
    });
  }
  const ended = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code === 0 ? '' : signal === null ? `exit code ${code}` : `stopped by ${signal}`));
  });
  clearTimeout(timer);
  running.delete(child);
  if (ended === '') return output;
  const reason = overdue ? `not done after ${Math.round(options.timeoutMs / 1_000)} seconds` : ended;
  const last = `${output.stdout}\n${output.stderr}`.trim().split('\n').slice(-12).join('\n');
  throw new CommandFailed(`"${command} ${args.join(' ')}" failed (${reason})${last === '' ? '' : `. Its last lines:\n${last}`}`);
}

/** The command's output, or undefined when it cannot be run. */
export async function outputOf(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await run(command, args, { timeoutMs: 20_000, env });
    return `${stdout}${stderr}`.trim();
  } catch {
    return undefined;
  }
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}
