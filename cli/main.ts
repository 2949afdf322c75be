import { Command, CommanderError } from 'commander';
import { messageOf, UsageError } from './output';

/** A command by its name: what `--help` says of it, and where it is. */
interface Entry {
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** Loaded only when asked for: `--help` should not wait for AWS SDKs. */
const COMMANDS: Readonly<Record<string, Entry>> = {
  doctor: { summary: 'what the local stack needs and what this machine lacks', load: async () => (await import('./doctor')).doctorCommand() },
  up: { summary: 'install what is missing and start the local stack', load: async () => (await import('./up')).upCommand() },
  down: { summary: 'stop the local stack; --purge removes its state', load: async () => (await import('./down')).downCommand() },
  status: { summary: 'what runs of the local stack', load: async () => (await import('./status')).statusCommand() },
  deploy: { summary: 'bring the infrastructure to its templates, on AWS or locally: plan, ask, follow', load: async () => (await import('./deploy')).deployCommand() },
  destroy: { summary: 'delete that infrastructure; data stays unless named', load: async () => (await import('./destroy')).destroyCommand() },
  demo: { summary: 'three nights of real positions, from raw objects to a served view', load: async () => (await import('./demo')).demoCommand() },
  worker: { summary: 'run a worker', load: async () => (await import('./worker')).workerCommand() },
  migrate: { summary: "bring the database's schema to this release", load: async () => (await import('./migrate')).migrateCommand() },
  pipelines: { summary: 'list and check the declarations', load: async () => (await import('./pipelines')).pipelinesCommand() },
  run: { summary: "run a pipeline's cycle", load: async () => (await import('./run')).runCommand() },
  schedules: { summary: 'plan, apply, list, pause, resume and trigger what runs by itself', load: async () => (await import('./schedules')).schedulesCommand() },
  approve: { summary: 'promote a cycle that its gate held', load: async () => (await import('./decide')).decideCommand('approve') },
  reject: { summary: 'reject a cycle that its gate held', load: async () => (await import('./decide')).decideCommand('reject') },
  rerun: { summary: 'run a closed cycle again from a stage', load: async () => (await import('./rerun')).rerunCommand() },
  discard: { summary: 'never read what a rejected cycle set aside', load: async () => (await import('./discard')).discardCommand() },
  backfill: { summary: 'run the intervals of a range that are not loaded', load: async () => (await import('./backfill')).backfillCommand() },
  inbox: { summary: 'what has arrived for a pipeline that runs on objects', load: async () => (await import('./inbox')).inboxCommand() },
  cycles: { summary: 'list, show and cancel cycles', load: async () => (await import('./cycles')).cyclesCommand() },
  report: { summary: "a cycle's lineage, from raw objects to what is served", load: async () => (await import('./report')).reportCommand() },
  logs: { summary: "a cycle's external jobs, in their own words", load: async () => (await import('./logs')).logsCommand() },
  rollback: { summary: 'serve an earlier version again', load: async () => (await import('./rollback')).rollbackCommand() },
  versions: { summary: 'the kept versions of a relation', load: async () => (await import('./versions')).versionsCommand() },
  replay: { summary: "replay recorded histories against today's code", load: async () => (await import('./replay')).replayCommand() },
  builds: { summary: 'builds of the workers: which one new cycles get, and which one may stop', load: async () => (await import('./builds')).buildsCommand() },
  archive: { summary: 'archive the histories of ended executions', load: async () => (await import('./archive')).archiveCommand() },
  'codec-server': { summary: 'decrypt payloads for `temporal` and the Web UI', load: async () => (await import('./codec-server')).codecServerCommand() },
  completion: { summary: 'complete commands and names in bash, zsh or fish', load: async () => (await import('./completion')).completionCommand(wholeProgram) },
  temporal: { summary: "Temporal's own CLI, pointed at the local stack", load: async () => (await import('./temporal')).temporalCommand() },
};

function emptyProgram(): Command {
  return new Command('meridian').description('Durable ETL cycles for geospatial data on AWS').version('0.1.0');
}

async function wholeProgram(): Promise<Command> {
  const program = emptyProgram();
  for (const { load } of Object.values(COMMANDS)) program.addCommand(await load());
  return program;
}

async function main(argv: readonly string[]): Promise<void> {
  const program = emptyProgram();
  // Commander's own `help up` would show the command that is not loaded.
  const words = argv[0] === 'help' && Object.hasOwn(COMMANDS, argv[1] ?? '') ? [...argv.slice(1), '--help'] : argv;
  for (const [name, { summary, load }] of Object.entries(COMMANDS)) {
    program.addCommand(name === words[0] ? await load() : new Command(name).summary(summary).description(summary));
  }
  overrideExits(program);
  await program.parseAsync(words, { from: 'user' });
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

main(process.argv.slice(2)).catch((error: unknown) => {
  process.exitCode = exitCodeOf(error);
  // Commander has printed its own; help and version are no errors.
  if (!(error instanceof CommanderError)) process.stderr.write(`meridian: ${messageOf(error)}\n`);
});
