import { spawn } from 'node:child_process';
import { Command } from 'commander';
import { TOOLS } from '../infra/local/toolchain';
import { loadStackEnvironment } from './environment';

export function temporalCommand(): Command {
  return new Command('temporal')
    .description("Temporal's own CLI, as the local stack has it, pointed at the stack's server")
    .argument('[args...]', 'as for `temporal`, such as: workflow list')
    .allowUnknownOption()
    .helpOption(false)
    .action(async (args: readonly string[]) => {
      await loadStackEnvironment();
      const tool = await TOOLS.temporal.locate();
      if (tool === undefined) throw new Error('The Temporal CLI is not here yet: `npx meridian up` brings it');
      const child = spawn(tool.path, args, { stdio: 'inherit' });
      process.exitCode = await new Promise<number>((resolve, reject) => {
        child.once('error', reject);
        child.once('close', (code) => resolve(code ?? 1));
      });
    });
}
