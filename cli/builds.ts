import { Command } from 'commander';
import { deploymentNameOf, isBuildName } from '../worker/config';
import { loadStackEnvironment } from './environment';
import { createOutput, UsageError } from './output';
import { withTemporal } from './temporal-client';
import { type Deployment, drainBuild, listBuilds, openOnNoBuild, promoteBuild } from './worker-builds';

interface JsonOption {
  readonly json?: boolean;
}

export function buildsCommand(): Command {
  const command = new Command('builds')
    .description('builds of the workers, where cycles are pinned to them (MERIDIAN_WORKER_BUILD_ID, docs/upgrading.md)')
    .addHelpText(
      'after',
      "\nThe same by Temporal's own CLI:\n  temporal worker deployment describe --name meridian\n" +
        '  temporal worker deployment set-current-version --deployment-name meridian --build-id <build> --yes\n' +
        `  temporal workflow count --query 'TemporalWorkerDeploymentVersion="meridian:<build>" AND TemporalWorkflowVersioningBehavior="Pinned" AND ExecutionStatus="Running"'`,
    );
  command
    .command('list')
    .description('every build, which one is current, and how many executions are pinned to it')
    .option('--json', 'one JSON document on stdout')
    .action(async (options: JsonOption) => {
      const [builds, unversioned] = await onDeployment(async (deployment) => [
        await listBuilds(deployment),
        await openOnNoBuild(deployment, process.env.MERIDIAN_TASK_QUEUE ?? 'meridian'),
      ]);
      const lines = builds.map((each) => `${each.current ? '▶' : ' '} ${each.buildId.padEnd(24)} ${each.status.padEnd(10)} ${each.open} open`);
      const text = [
        ...(lines.length === 0 ? ['No worker with a build id has polled yet: MERIDIAN_WORKER_BUILD_ID sets one'] : lines),
        `  ${'unversioned workers'.padEnd(24)} ${''.padEnd(10)} ${unversioned} open`,
      ];
      createOutput(options).result({ builds, unversioned }, text.join('\n'));
    });
  command
    .command('promote')
    .description('new executions get this build from now on; what runs stays where it is')
    .argument('<build>')
    .option('--json', 'one JSON document on stdout')
    .action(async (build: string, options: JsonOption) => {
      const buildId = buildOf(build);
      const replaced = await onDeployment((deployment) => promoteBuild(deployment, buildId));
      const next = replaced === undefined ? '' : `, no longer ${replaced}: \`meridian builds drain ${replaced}\` says when its workers may stop`;
      createOutput(options).result({ buildId, replaced: replaced ?? null }, `New executions get build ${buildId}${next}`);
    });
  command
    .command('drain')
    .description('wait until no execution is pinned to a build: only then may its workers stop')
    .argument('<build>')
    .option('--no-wait', 'only look: exit 1 while there are some')
    .option('--timeout <minutes>', 'wait at most so long, then exit 1', '1440')
    .option('--json', 'one JSON document on stdout')
    .action(async (build: string, options: JsonOption & { readonly wait: boolean; readonly timeout: string }) => {
      const buildId = buildOf(build);
      if (!/^\d+$/.test(options.timeout)) throw new UsageError(`--timeout: expected a whole number of minutes, found "${options.timeout}"`);
      const output = createOutput(options);
      let told: number | undefined;
      const open = await onDeployment((deployment) =>
        drainBuild(deployment, buildId, options.wait ? Number(options.timeout) * 60_000 : 0, (still) => {
          if (still !== told && still > 0) output.note(`Build ${buildId}: ${still} open`);
          told = still;
        }),
      );
      const text = open === 0 ? `Nothing is pinned to build ${buildId}: its workers may stop` : `${open} open executions are pinned to build ${buildId}: without its workers they would stand still`;
      output.result({ buildId, open }, text);
      if (open > 0) process.exitCode = 1;
    });
  return command;
}

function buildOf(text: string): string {
  if (!isBuildName(text)) throw new UsageError(`"${text}" is no build id: letters, digits, dots, hyphens and underscores, at most 100`);
  return text;
}

async function onDeployment<T>(use: (deployment: Deployment) => Promise<T>): Promise<T> {
  await loadStackEnvironment();
  return withTemporal((client) => use({ client, name: deploymentNameOf(process.env) }));
}
