import type { Progress } from '../infra/local/progress';

/** What a command says: its result on stdout, everything on the way on stderr. */
export interface Output extends Progress {
  /** The command's one result: `document` with `--json`, else `text`. */
  result(document: unknown, text: string): void;
}

/** Wrong usage: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const NOTHING_LISTENS =
  'nothing listens there. `npx meridian up` starts what is down of the local stack; elsewhere PGHOST, PGPORT, AWS_ENDPOINT_URL and TEMPORAL_ADDRESS say where';

/** One clear paragraph for a person; the stack trace for those who set MERIDIAN_DEBUG. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (process.env['MERIDIAN_DEBUG'] !== undefined) return error.stack ?? error.message;
  // A refused connection is an AggregateError with nothing to say but its parts.
  const parts = error instanceof AggregateError ? error.errors.map(messageOf) : [];
  const message = error.message === '' ? [...new Set(parts)].join('; ') : error.message;
  if (parts.length === 0 && (error as NodeJS.ErrnoException).code === 'ECONNREFUSED') return `${message}: ${NOTHING_LISTENS}`;
  return message === '' ? error.name : message;
}

/** False for a terminal that only ever appends, and for a CI job's log, which keeps every redrawn line. */
export function redrawsLines(isTerminal: boolean, { TERM, CI }: NodeJS.ProcessEnv): boolean {
  return isTerminal && TERM !== 'dumb' && (CI ?? '') === '';
}

const BAR_CELLS = 24;

/** A bar replaces itself on a terminal; elsewhere a line is printed for every tenth of the way. */
export function createOutput(options: { readonly json?: boolean }): Output {
  const terminal = redrawsLines(process.stderr.isTTY, process.env);
  let barShown = false;
  const tenths = new Map<string, number>();
  const clearBar = () => {
    if (barShown) process.stderr.write('\r\x1b[2K');
    barShown = false;
  };
  return {
    note(message) {
      clearBar();
      process.stderr.write(`${message}\n`);
    },
    advance(label, done, total, unit = '') {
      if (terminal) {
        process.stderr.write(`\r\x1b[2K${progressLine(label, done, total, unit)}`);
        barShown = true;
        return;
      }
      const tenth = total === undefined || total === 0 ? 0 : Math.floor((done / total) * 10);
      if (tenths.get(label) === tenth) return;
      tenths.set(label, tenth);
      process.stderr.write(`${progressLine(label, done, total, unit)}\n`);
    },
    result(document, text) {
      clearBar();
      process.stdout.write(options.json === true ? `${JSON.stringify(document, null, 2)}\n` : `${text}\n`);
    },
  };
}

function progressLine(label: string, done: number, total: number | undefined, unit: string): string {
  if (total === undefined || total === 0) return `  ${label} ${done} ${unit}`;
  const filled = Math.min(BAR_CELLS, Math.round((done / total) * BAR_CELLS));
  return `  ${label} [${'█'.repeat(filled)}${'░'.repeat(BAR_CELLS - filled)}] ${done} of ${total} ${unit}`;
}
