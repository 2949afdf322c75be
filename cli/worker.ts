import { Command } from 'commander';
import { readWorkerConfig } from '../worker/config';
import { runWorker } from '../worker/main';
import { loadWorkerEnvironment } from './environment';

export function workerCommand(): Command {
  return new Command('worker')
    .description('run a worker: it executes the cycles of every declared pipeline until it gets SIGTERM or Ctrl-C')
    .addHelpText(
      'after',
      '\nSettings come from the environment; where a local stack is up, its own are taken for what is not set.\n' +
        'Temporal: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS_… or temporal.toml.',
    )
    .action(async () => {
      await loadWorkerEnvironment();
      await runWorker(readWorkerConfig(process.env), (taskQueue) => {
        process.stderr.write(`Worker polls task queue "${taskQueue}"; Ctrl-C stops it\n`);
      });
    });
}
