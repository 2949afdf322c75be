import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { type OpenDatabase, openDatabase } from '../sql/database';
import { ensurePostgis } from '../sql/ensure-postgis';
import { migrate } from '../sql/migrate';
import { loadStackEnvironment } from './environment';
import { createOutput, messageOf, type Output, UsageError } from './output';

const ASK_AGAIN_MS = 2_000;

export function migrateCommand(): Command {
  return new Command('migrate')
    .description(
      "bring the database's schema to what this release needs; safe to run again, and while older workers run",
    )
    .option('--wait <seconds>', 'how long to wait for a database that does not answer, such as a paused one', '0')
    .option('--json', 'one JSON document on stdout')
    .addHelpText(
      'after',
      '\nThe database is that of PGHOST, PGPORT, PGDATABASE, PGUSER and PGPASSWORD. `meridian up` migrates the local one by itself.',
    )
    .action(async (options: { readonly wait: string; readonly json?: boolean }) => {
      if (!/^\d{1,5}$/.test(options.wait))
        throw new UsageError(`--wait: expected a whole number of seconds, found "${options.wait}"`);
      await loadStackEnvironment();
      const output = createOutput(options);
      const database = openDatabase();
      try {
        await answered(database, Number(options.wait) * 1_000, output);
        await ensurePostgis(database.db);
        const applied = await migrate(database.db);
        output.result(
          { applied },
          applied.length === 0 ? 'The schema is as this release needs it' : `Migrated: ${applied.join(', ')}`,
        );
      } finally {
        await database.close();
      }
    });
}

/** @throws the last refusal, once `limitMs` is over; at once when somebody answers and refuses */
async function answered({ pool }: OpenDatabase, limitMs: number, output: Output): Promise<void> {
  for (const deadline = Date.now() + limitMs; ; await sleep(ASK_AGAIN_MS)) {
    try {
      await pool.query('select 1');
      return;
    } catch (error) {
      // Five letters or digits: PostgreSQL itself said no. While it starts up (class 57) it will say yes.
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      if (Date.now() >= deadline || (/^[0-9A-Z]{5}$/.test(code) && !code.startsWith('57'))) throw error;
      output.note(`The database does not answer yet: ${messageOf(error)}`);
    }
  }
}
