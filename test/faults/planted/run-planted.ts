/**
 * Shows that the fault harness sees: plants each bug of planted-bugs.ts in a copy of the checkout, and runs the scenario there that
 * must catch it. Ends with exit code 1 when one escapes or cannot be planted.
 */
import { Command } from 'commander';
import { PLANTED_BUGS } from './planted-bugs';
import { runBug, type Verdict } from './run-bug';

async function main({ only, list }: { readonly only?: string; readonly list?: boolean }): Promise<void> {
  const bugs = PLANTED_BUGS.filter((bug) => only === undefined || new RegExp(only).test(bug.name));
  if (list === true) return void process.stdout.write(`${bugs.map((bug) => bug.name).join('\n')}\n${bugs.length} bugs\n`);
  const rows: string[] = [];
  let escaped = 0;
  for (const bug of bugs) {
    const verdict = await runBug(bug).catch((error: unknown) => notPlanted(bug.name, bug.cell, error));
    if (verdict.caughtBy === undefined) escaped += 1;
    rows.push(rowOf(verdict));
    process.stdout.write(`${verdict.caughtBy === undefined ? '✘' : '✔'} ${verdict.bug}: ${verdict.caughtBy ?? 'escaped'}\n`);
    if (verdict.caughtBy === undefined) for (const each of verdict.violations) process.stdout.write(`    ${each}\n`);
  }
  process.stdout.write(`\n| bug | cell | caught by | seconds |\n|---|---|---|---|\n${rows.join('\n')}\n\n${bugs.length - escaped} of ${bugs.length} bugs caught\n`);
  if (escaped > 0 || bugs.length === 0) process.exitCode = 1;
}

function notPlanted(bug: string, cell: string, error: unknown): Verdict {
  return { bug, cell, caughtBy: undefined, violations: [error instanceof Error ? error.message : String(error)], seconds: 0 };
}

function rowOf({ bug, cell, caughtBy, seconds }: Verdict): string {
  const found = caughtBy === undefined ? '**escaped**' : caughtBy.split('\n')[0]?.slice(0, 160).replaceAll('|', '\\|');
  return `| ${bug} | ${cell} | ${found} | ${seconds.toFixed(0)} |`;
}

new Command('planted')
  .description('plants known bugs in a copy of the checkout, and asserts that the fault harness catches each')
  .option('--only <regex>', 'only the bugs whose name matches')
  .option('--list', 'name the bugs, and end')
  .action(main)
  .parseAsync()
  .catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exitCode = 1;
  });
