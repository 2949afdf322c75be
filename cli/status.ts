import { Command } from 'commander';
import { stackHome } from '../infra/local/stack-env';
import { stackStatus } from '../infra/local/stack';
import { createOutput } from './output';

export function statusCommand(): Command {
  return new Command('status')
    .description('what runs of the local stack, and where; exit code 1 when a part of it is down')
    .option('--json', 'one JSON document on stdout')
    .action((options: { readonly json?: boolean }) => {
      const { parts, stack } = stackStatus(stackHome());
      const lines = parts.map((part) => `${part.running ? '✔' : '✘'} ${part.name.padEnd(10)} ${part.running ? `process ${part.pid}, since ${part.startedAt}` : 'not running'}`);
      if (stack !== undefined) lines.push(`  ${stack.temporalUi}\n  ${stack.awsEndpoint}`);
      createOutput(options).result(
        { parts, ...(stack === undefined ? {} : { temporalUi: stack.temporalUi, awsEndpoint: stack.awsEndpoint }) },
        lines.join('\n'),
      );
      if (parts.some((part) => !part.running && part.name !== 'worker')) process.exitCode = 1;
    });
}
