import { InvalidArgumentError } from 'commander';

/** An option's whole number. */
export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError(`expected a whole number, found "${text}"`);
  return Number(text);
}

/** The `--cells` of one cell: its name and nothing else. */
export function exactly(cell: string): string {
  return `^${cell.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')}$`;
}
