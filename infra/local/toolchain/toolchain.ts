import type { Progress } from '../progress';
import { StackError } from '../stack-error';
import { actionlint } from './actionlint';
import { checksPython } from './checks-python';
import { installTools } from './install-tools';
import { jars } from './jars';
import { java } from './java';
import { postgresServer } from './postgres-server';
import { python } from './python';
import { sparkClasses } from './spark-classes';
import { temporalCli } from './temporal-cli';
import { temporalTestServer } from './temporal-test-server';
import type { Found, Tool } from './tool';

/** The slowest first, so that it is not what one waits for last. */
export const TOOLS = { temporal: temporalCli, java, python, jars, postgres: postgresServer, sparkClasses, temporalTestServer, checksPython, actionlint } as const satisfies Record<string, Tool>;
export type ToolName = keyof typeof TOOLS;

/** What the local stack is made of; the others are for tests. */
export const STACK_TOOLS = ['temporal', 'java', 'python', 'jars', 'postgres', 'sparkClasses'] as const satisfies readonly ToolName[];

/**
 * Finds the tools of these names, installing what is missing.
 * @see installTools for what happens when two do so at once, or one is interrupted
 * @throws StackError of the first tool that cannot be had
 */
export async function ensureToolchain<Name extends ToolName>(names: readonly Name[], progress: Progress): Promise<Readonly<Record<Name, Found>>> {
  const found = await installTools(names.map((name) => TOOLS[name]), progress);
  const byName = names.map((name) => {
    const tool = found.get(TOOLS[name].name);
    if (tool === undefined) throw new StackError(`${TOOLS[name].title} was installed but cannot be found again: run \`npx meridian doctor\``);
    return [name, tool] as const;
  });
  return Object.fromEntries(byName) as Readonly<Record<Name, Found>>;
}
