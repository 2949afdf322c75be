import { Command } from 'commander';
import { stackHome } from '../infra/local/stack-env';
import { stopStack } from '../infra/local/stack';
import { createOutput } from './output';

export function downCommand(): Command {
  return new Command('down')
    .description('stop the local stack; its state stays for the next `up`')
    .option('--purge', 'remove its state too: database, objects, histories')
    .option('--json', 'one JSON document on stdout')
    .action(async (options: { readonly purge?: boolean; readonly json?: boolean }) => {
      const home = stackHome();
      const output = createOutput(options);
      const stopped = await stopStack({ home, purge: options.purge === true, progress: output });
      const text = stopped.length === 0 ? 'Nothing was running' : `Stopped ${stopped.join(', ')}`;
      output.result({ stopped, purged: options.purge === true }, `${text}${options.purge === true ? `; removed ${home}` : ''}`);
    });
}
