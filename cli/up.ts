import { Command } from 'commander';
import { deployLocal } from '../infra/local/deploy';
import type { Progress } from '../infra/local/progress';
import { type RunningStack, type StackOptions, stackPorts, startStack } from '../infra/local/stack';
import { mergeStackEnv, stackHome } from '../infra/local/stack-env';
import { openDatabase } from '../sql/database';
import { migrate } from '../sql/migrate';
import { createOutput } from './output';

export function upCommand(): Command {
  return new Command('up')
    .description('install what is missing, start the local stack, migrate its database and deploy the template to it')
    .option('--auth', "the local AWS holds every call against its caller's IAM policies; so it stays until `meridian down --purge`")
    .option('--json', 'one JSON document on stdout')
    .addHelpText(
      'after',
      '\nEverything listens on 127.0.0.1. Ports: MERIDIAN_TEMPORAL_PORT (7233), MERIDIAN_TEMPORAL_UI_PORT (8233),\n' +
        'MERIDIAN_POSTGRES_PORT (54321), MERIDIAN_AWS_PORT (4566). State: MERIDIAN_HOME (.meridian). Downloads: MERIDIAN_CACHE (~/.cache/meridian).',
    )
    .action(async (options: { readonly json?: boolean; readonly auth?: boolean }) => {
      const output = createOutput(options);
      const stack = await bringUp(stackHome(), output, { auth: options.auth === true });
      output.result(
        { temporalUi: stack.temporalUi, postgresUrl: stack.postgresUrl, awsEndpoint: stack.awsEndpoint, temporalAddress: stack.env['TEMPORAL_ADDRESS'] },
        `The stack is up.\n  Temporal Web UI  ${stack.temporalUi}\n  PostgreSQL       psql "${stack.postgresUrl}"\n  AWS endpoint     ${stack.awsEndpoint}\n\`npx meridian worker\` starts a worker, \`npx meridian down\` stops everything.`,
      );
    });
}

/**
 * A stack that cycles can run on. Safe to run twice: what is there already is left as it is.
 * @param options - other ports than the environment chooses, settings of the local AWS, and whether it enforces policies
 */
export async function bringUp(
  home: string,
  progress: Progress,
  options: Partial<Pick<StackOptions, 'ports' | 'awsSettings' | 'auth'>> = {},
): Promise<RunningStack> {
  const stack = await startStack({ home, ports: stackPorts(), progress, ...options });
  progress.note('Temporal, PostgreSQL and the local AWS are running');
  const database = openDatabase({
    host: stack.env['PGHOST'],
    port: Number(stack.env['PGPORT']),
    database: stack.env['PGDATABASE'],
    user: stack.env['PGUSER'],
    password: stack.env['PGPASSWORD'],
  });
  try {
    await migrate(database.db);
  } finally {
    await database.close();
  }
  const outputs = await deployLocal({ home, env: stack.env, progress });
  return { ...stack, env: mergeStackEnv(home, outputs) };
}
