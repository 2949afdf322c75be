import { dirname } from 'node:path';
import { createOutput } from '../../cli/output';
import { ensureToolchain, STACK_TOOLS } from '../../infra/local/toolchain';

/** Brings every tool, and says by environment where the tests find them. */
export async function testEnvironment(): Promise<{ readonly env: NodeJS.ProcessEnv; readonly python: string }> {
  const tools = await ensureToolchain([...STACK_TOOLS, 'temporalTestServer', 'checksPython', 'actionlint'], createOutput({}));
  return {
    python: tools.python.path,
    env: {
      ...process.env,
      ...tools.java.env,
      // The project's own Node for everything that is started by name.
      PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
      MERIDIAN_TEMPORAL: tools.temporal.path,
      MERIDIAN_TEMPORAL_TEST_SERVER: tools.temporalTestServer.path,
      MERIDIAN_PYTHON: tools.python.path,
      MERIDIAN_ACTIONLINT: tools.actionlint.path,
      MERIDIAN_CHECKS_PYTHON: tools.checksPython.path,
      MERIDIAN_SPARK_JARS: tools.jars.path,
      MERIDIAN_SPARK_CLASS_ARCHIVE: tools.sparkClasses.path,
      MERIDIAN_POSTGRES_BIN: tools.postgres.path,
    },
  };
}
