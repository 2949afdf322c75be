import { Command, CommanderError } from 'commander';
import { UsageError } from './output';

/** Loaded only when asked for: `--help` should not wait for AWS SDKs. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  doctor: async () => (await import('./doctor')).doctorCommand(),
  up: async () => (await import('./up')).upCommand(),
  down: async () => (await import('./down')).downCommand(),
  status: async () => (await import('./status')).statusCommand(),
  demo: async () => (await import('./demo')).demoCommand(),
  worker: async () => (await import('./worker')).workerCommand(),
  pipelines: async () => (await import('./pipelines')).pipelinesCommand(),
  run: async () => (await import('./run')).runCommand(),
  cycles: async () => (await import('./cycles')).cyclesCommand(),
  logs: async () => (await import('./logs')).logsCommand(),
  versions: async () => (await import('./versions')).versionsCommand(),
};

async function main(): Promise<void> {
  const program = new Command('meridian').description('Durable ETL cycles for geospatial data on AWS').version('0.1.0');
  const wanted = process.argv[2] ?? '';
  const names = wanted in COMMANDS ? [wanted] : Object.keys(COMMANDS);
  for (const name of names) {
    const command = await COMMANDS[name]?.();
    if (command !== undefined) program.addCommand(command);
  }
  overrideExits(program);
  try {
    await program.parseAsync();
  } catch (error) {
    process.exitCode = exitCodeOf(error);
    // Commander has printed its own; help and version are no errors.
    if (!(error instanceof CommanderError)) process.stderr.write(`${messageOf(error)}\n`);
  }
}

/** Commander exits 1 on wrong usage; ours is 2, and nothing exits under a command that still writes. */
function overrideExits(command: Command): void {
  command.exitOverride();
  for (const child of command.commands) overrideExits(child);
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  return error instanceof UsageError ? 2 : 1;
}

/** One clear paragraph; the stack trace for those who ask for it. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return process.env['MERIDIAN_DEBUG'] === undefined ? `meridian: ${error.message}` : (error.stack ?? error.message);
}

void main();
