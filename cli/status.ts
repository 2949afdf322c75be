import { Command } from 'commander';
import { stackHome } from '../infra/local/stack-env';
import { type PartStatus, stackStatus } from '../infra/local/stack';
import { createOutput } from './output';

export function statusCommand(): Command {
  return new Command('status')
    .description('what runs of the local stack, and where; exit code 1 when a part of it is down')
    .option('--json', 'one JSON document on stdout')
    .action((options: { readonly json?: boolean }) => {
      const { parts, stack } = stackStatus(stackHome());
      // A worker is the user's to start.
      const up = parts.every((part) => part.running || part.name === 'worker');
      const lines = parts.map(lineOf);
      if (stack !== undefined && up) lines.push(`Temporal Web UI  ${stack.temporalUi}`, `PostgreSQL       psql "${stack.postgresUrl}"`, `AWS endpoint     ${stack.awsEndpoint}`);
      if (!up) lines.push('`npx meridian up` starts what is down.');
      createOutput(options).result(
        { up, parts, ...(stack === undefined ? {} : { temporalUi: stack.temporalUi, postgresUrl: stack.postgresUrl, awsEndpoint: stack.awsEndpoint }) },
        lines.join('\n'),
      );
      if (!up) process.exitCode = 1;
    });
}

function lineOf({ name, running, pid, startedAt, ports = [] }: PartStatus): string {
  if (!running) return `✘ ${name.padEnd(10)} not running`;
  return `✔ ${name.padEnd(10)} process ${pid}${ports.length === 0 ? '' : `, port ${ports.join(' and ')}`}, since ${startedAt}`;
}
