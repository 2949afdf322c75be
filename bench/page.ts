import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Bar, barsSvg, headroom } from './plots';
import { type RecordedRun, recordedRuns, type Result } from './results';
import { plain } from './text';

const DOCS = join(__dirname, '..', 'docs');
const PAGE = join(DOCS, 'performance.md');
/** Earlier runs that a picture shows as dots. */
const EARLIER = 10;

/** Fills the numbers and pictures into docs/performance.md from what is on record; the rest of the page is written by hand. */
export function writePage(): string {
  const runs = recordedRuns();
  const page = readFileSync(PAGE, 'utf8');
  mkdirSync(join(DOCS, 'performance'), { recursive: true });
  const filled = page.replace(/(<!-- numbers of ([a-z-]+) -->\n)[^]*?(<!-- end -->)/g, (_all, begin: string, bench: string, end: string) => {
    const own = shownRuns(runs, bench);
    const last = own.at(-1);
    if (last === undefined) return `${begin}Not measured yet.\n${end}`;
    const bars = barsOf(last, own.slice(0, -1));
    writeFileSync(join(DOCS, 'performance', `${bench}.svg`), barsSvg(`${bench}, ${last.size} size, commit ${last.commit}`, bars));
    return `${begin}${section(last)}${end}`;
  });
  writeFileSync(PAGE, filled);
  return PAGE;
}

/** Of the larger size that was run: quick ones are for a look. */
export function shownRuns(runs: readonly RecordedRun[], bench: string): readonly RecordedRun[] {
  const own = runs.filter((run) => run.bench === bench);
  const full = own.filter(({ size }) => size === 'full');
  return full.length > 0 ? full : own;
}

function barsOf(last: RecordedRun, before: readonly RecordedRun[]): readonly Bar[] {
  const earlier = (name: string) => before.slice(-EARLIER).flatMap(({ results }) => results.filter((each) => each.name === name));
  return last.results.filter((result) => headroom(result) !== undefined).map((result) => ({ result, earlier: earlier(result.name) }));
}

function section({ bench, size, commit, startedAt, machine, load, seconds, cpuSeconds, peakMb, results }: RecordedRun): string {
  const memory = peakMb === undefined ? '' : `, ${plain(Math.round(peakMb))} MB at most`;
  return [
    `![${bench} against its limits](performance/${bench}.svg)`,
    '',
    `${startedAt.slice(0, 16).replace('T', ' ')} UTC, ${size} size, commit ${commit}, ${machine.cores} cores, Node ${machine.node.slice(1)}; ` +
      `load ${load.map((each) => each.toFixed(1)).join(' → ')}; measured ${plain(seconds)} s, ${plain(cpuSeconds)} CPU-s${memory}.`,
    '',
    '| number | value | limit | |',
    '|---|---|---|---|',
    ...results.map(tableRow),
    '',
  ].join('\n');
}

function tableRow({ name, value, unit, limit, bound, holds }: Result): string {
  const limitText = limit === null || bound === null ? '' : `${bound} ${plain(limit)}`;
  const verdict = holds === null ? '' : holds ? 'holds' : '**does not hold**';
  return `| ${name.split('/').slice(1).join(' / ')} | ${plain(value)} ${unit} | ${limitText} | ${verdict} |`;
}
