import type { Result } from './results';
import { plain } from './text';

/** One bar of a picture: a held number, and what it was in earlier runs. */
export interface Bar {
  readonly result: Result;
  /** Of runs before this one, the same way up. */
  readonly earlier: readonly Result[];
}

const LABELS = 330;
const CHART = 420;
const VALUES = 340;
const ROW = 26;
const TOP = 40;
const SPAN = 5; // powers of two to either side of the limit

/** How many times better than its limit: 2 is half of what it may cost, or twice what it must reach. */
export function headroom({ value, limit, bound }: Result): number | undefined {
  if (limit === null || bound === null) return undefined;
  return bound === 'at most' ? limit / value : value / limit;
}

/** Bars from the limit, to the right where it holds; two steps of the scale are four times better or worse. */
export function barsSvg(title: string, bars: readonly Bar[]): string {
  const width = LABELS + CHART + VALUES;
  const height = TOP + bars.length * ROW + 24;
  const middle = LABELS + CHART / 2;
  const ticks = Array.from({ length: SPAN * 2 + 1 }, (_, index) => index - SPAN).filter((power) => power % 2 === 0 || Math.abs(power) <= 1);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<text x="8" y="18" font-size="14" font-weight="600" fill="#1f2933">${escaped(title)}</text>`,
    ...ticks.map((power) => tick(power, height)),
    ...bars.flatMap((bar, index) => row(bar, TOP + index * ROW)),
    `<line x1="${middle}" y1="${TOP - 6}" x2="${middle}" y2="${height - 18}" stroke="#1f2933" stroke-width="1.5"/>`,
    '</svg>',
    '',
  ].join('\n');
}

function tick(power: number, height: number): string {
  const x = xOf(2 ** power);
  const label = power === 0 ? 'limit' : power > 0 ? `${2 ** power}× better` : `${2 ** -power}× short`;
  return (
    `<line x1="${x}" y1="${TOP - 6}" x2="${x}" y2="${height - 18}" stroke="#e4e7eb"/>` +
    `<text x="${x}" y="${height - 5}" text-anchor="middle" font-size="10" fill="#616e7c">${label}</text>`
  );
}

function row({ result, earlier }: Bar, y: number): readonly string[] {
  const x = xOf(headroom(result) ?? 1);
  const middle = xOf(1);
  const holds = result.holds === true;
  const bound = result.bound === 'at least' ? '≥' : '≤';
  return [
    `<text x="${LABELS - 8}" y="${y + 15}" text-anchor="end" fill="#323f4b">${escaped(result.name.split('/').slice(1).join(' · '))}</text>`,
    `<rect x="${Math.min(x, middle)}" y="${y + 4}" width="${Math.max(1, Math.abs(x - middle))}" height="${ROW - 10}" fill="${holds ? '#2f855a' : '#c53030'}"/>`,
    ...earlier.map((each) => `<circle cx="${xOf(headroom(each) ?? 1)}" cy="${y + ROW / 2 - 1}" r="2.5" fill="#1f2933" fill-opacity="0.35"/>`),
    `<text x="${LABELS + CHART + 8}" y="${y + 15}" fill="#323f4b">${escaped(`${plain(result.value)} ${result.unit.split(',')[0] ?? ''} (${bound} ${plain(result.limit ?? 0)})`)}</text>`,
  ];
}

/** On a scale of powers of two, ending where the chart ends. */
function xOf(times: number): number {
  const power = Math.max(-SPAN, Math.min(SPAN, Math.log2(times)));
  return Math.round((LABELS + (CHART / 2) * (1 + power / SPAN)) * 10) / 10;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
