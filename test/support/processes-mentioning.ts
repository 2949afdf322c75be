import { readdirSync, readFileSync } from 'node:fs';

/** Ids of the living processes one of whose arguments contains `text`; Linux only, as `/proc` is. */
export function processesThatMention(text: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        // A process that has ended but was not yet collected has an empty command line.
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
      } catch {
        return false;
      }
    })
    .map(Number);
}
