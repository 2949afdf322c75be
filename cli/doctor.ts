import { mkdirSync, statfsSync } from 'node:fs';
import { Command } from 'commander';
import { portStatus, stackPorts } from '../infra/local/stack';
import { stackHome } from '../infra/local/stack-env';
import { STACK_TOOLS, TOOLS } from '../infra/local/toolchain';
import { cacheFolder } from '../infra/local/toolchain/cache';
import { createOutput } from './output';

const LEAST_NODE = [20, 19] as const;

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('what the local stack needs, what this machine has, and what `up` would install; exit code 1 when something is missing')
    .option('--json', 'one JSON document on stdout')
    .action(async (options: { readonly json?: boolean }) => {
      const report = await examine(stackHome());
      createOutput(options).result(report, linesOf(report).join('\n'));
      if (!report.ready) process.exitCode = 1;
    });
}

type Report = Awaited<ReturnType<typeof examine>>;

async function examine(home: string) {
  const tools = await Promise.all(
    STACK_TOOLS.map(async (name) => {
      const { title, downloadMb, diskMb, locate } = TOOLS[name];
      const found = await locate();
      return { tool: name, title, ...(found === undefined ? { downloadMb, diskMb } : { version: found.version, path: found.path }) };
    }),
  );
  const ports = await portStatus(home, stackPorts());
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const node = { version: process.version, supported: major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1]) };
  const cache = cacheFolder();
  mkdirSync(cache, { recursive: true });
  const { bavail, bsize } = statfsSync(cache);
  const ready = node.supported && tools.every((tool) => 'path' in tool) && ports.every((port) => port.taken === undefined);
  return { ready, node, tools, ports, home, cache, freeMb: Math.floor((bavail * bsize) / 1024 ** 2) };
}

function linesOf({ ready, node, tools, ports, home, cache, freeMb }: Report): readonly string[] {
  const missing = tools.flatMap((tool) => ('path' in tool ? [] : [tool]));
  return [
    node.supported ? `✔ Node ${node.version}` : `✘ Node ${node.version}: expected ${LEAST_NODE.join('.')} or later`,
    ...tools.map((tool) => ('path' in tool ? `✔ ${tool.title}: ${tool.version}\n    ${tool.path}` : `✘ ${tool.title}: missing, some ${tool.downloadMb} MB`)),
    ...ports.map(({ what, port, taken }) => (taken === undefined ? `✔ ${port === 0 ? 'A free port' : `Port ${port}`} for ${what}` : `✘ ${taken}`)),
    `  State in ${home}; tools in ${cache}, ${freeMb} MB free`,
    ready ? 'Everything is there.' : missing.length === 0 ? 'See above.' : '`npx meridian up` brings what is missing.',
  ];
}
