import { createInterface } from 'node:readline/promises';
import { UsageError } from './output';

/** Refuses before anything is done when nobody could be asked. */
export function assertCanAsk({ yes }: { readonly yes?: boolean }): void {
  if (yes !== true && !(process.stdin.isTTY && process.stderr.isTTY)) throw new UsageError('There is no terminal to ask on: say --yes');
}

/** Asks on the terminal; anything but yes is no. */
export async function confirmed(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}
