import { Command } from 'commander';
import { TOOLS } from '../infra/local/toolchain';
import { createOutput } from './output';

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('what the local stack needs, what this machine has, and what `up` would install')
    .option('--json', 'one JSON document on stdout')
    .action(async (options: { readonly json?: boolean }) => {
      const tools = await Promise.all(
        Object.values(TOOLS).map(async (tool) => {
          const found = await tool.locate();
          return { tool: tool.name, title: tool.title, downloadMb: tool.downloadMb, ...(found === undefined ? {} : { version: found.version, path: found.path }) };
        }),
      );
      const lines = tools.map(({ title, version, path, downloadMb }) =>
        version === undefined ? `✘ ${title}: missing; \`npx meridian up\` brings it (some ${downloadMb} MB)` : `✔ ${title}: ${version}\n    ${path}`,
      );
      createOutput(options).result({ node: process.version, tools }, [`  Node ${process.version}`, ...lines].join('\n'));
      if (tools.some((tool) => tool.version === undefined)) process.exitCode = 1;
    });
}
