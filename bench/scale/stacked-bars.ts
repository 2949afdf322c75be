/** One bar of named parts. */
export interface StackedBar {
  readonly title: string;
  readonly parts: readonly { readonly name: string; readonly value: number }[];
}

const COLOURS = ['#2b6cb0', '#2f855a', '#b7791f', '#6b46c1', '#c53030', '#4a5568'];
const WIDTH = 1_000;
const CHART = 860;
const TOP = 66;
const BAR = 58;

/** Bars on one scale, a colour for each name, in the order in which the names first come; a value that is too small to be seen has no part. */
export function stackedBarsSvg(title: string, bars: readonly StackedBar[]): string {
  const names = [...new Set(bars.flatMap(({ parts }) => parts.map(({ name }) => name)))];
  const longest = Math.max(...bars.map(totalOf));
  const colourOf = (name: string) => COLOURS[names.indexOf(name) % COLOURS.length];
  const height = TOP + bars.length * BAR + 8;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    `<text x="8" y="20" font-size="14" font-weight="600" fill="#1f2933">${title}</text>`,
    ...names.map((name, index) => `<rect x="${8 + index * 120}" y="34" width="12" height="12" fill="${colourOf(name)}"/><text x="${26 + index * 120}" y="45" fill="#323f4b">${name}</text>`),
    ...bars.flatMap((bar, index) => [
      `<text x="8" y="${TOP + index * BAR + 14}" fill="#323f4b">${bar.title}</text>`,
      ...partsOf(bar, longest).map(({ name, x, width }) => `<rect x="${x}" y="${TOP + index * BAR + 20}" width="${width}" height="22" fill="${colourOf(name)}"/>`),
      `<text x="${12 + Math.round((CHART * totalOf(bar)) / longest)}" y="${TOP + index * BAR + 36}" fill="#1f2933" font-weight="600">${totalOf(bar).toFixed(1)}</text>`,
    ]),
    '</svg>',
    '',
  ].join('\n');
}

function partsOf(bar: StackedBar, longest: number): readonly { readonly name: string; readonly x: number; readonly width: number }[] {
  let x = 8;
  return bar.parts.flatMap(({ name, value }) => {
    const width = Math.round((CHART * value) / longest);
    x += width;
    return width === 0 ? [] : [{ name, x: x - width, width }];
  });
}

function totalOf({ parts }: StackedBar): number {
  return parts.reduce((sum, { value }) => sum + value, 0);
}
