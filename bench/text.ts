import type { Benchmark } from './benchmark';
import type { RecordedRun, Result } from './results';

/** What is about to run, and beside how much else. */
export function runHeading({ name, title }: Pick<Benchmark, 'name' | 'title'>, size: string, load: number): string {
  return `\n${name} (${size}): ${title}\n  the machine's load is ${load.toFixed(2)}`;
}

/** One benchmark's numbers as a person reads them. */
export function resultsText({ results, seconds, cpuSeconds, peakMb, load, machine }: RecordedRun): string {
  const width = Math.max(...results.map(({ name }) => name.length));
  const memory = peakMb === undefined ? '' : `, ${Math.round(peakMb)} MB at most`;
  return [
    ...results.map((result) => `  ${result.name.padEnd(width)}  ${figure(result)}`),
    `  measured ${seconds.toFixed(1)} s, ${cpuSeconds.toFixed(1)} CPU-s${memory}; load ${load.map((each) => each.toFixed(2)).join(' → ')} on ${machine.cores} cores`,
  ].join('\n');
}

/** `412 cycles/min (at least 300: holds)` */
export function figure({ value, unit, limit, bound, holds }: Result): string {
  const held = limit === null ? '' : ` (${bound} ${plain(limit)}: ${holds === true ? 'holds' : 'DOES NOT HOLD'})`;
  return `${plain(value)} ${unit}${held}`;
}

/** Digits in groups: 1,234,567. */
export function plain(value: number): string {
  return value.toLocaleString('en-US', { maximumSignificantDigits: 4 });
}
