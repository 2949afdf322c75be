import list from '../prices.json';
import { CYCLE, IDLE, type PriceName, type Use } from './usage';

interface Price {
  readonly what: string;
  /** `null`: not known; sums say that they are without it. */
  readonly usd: number | null;
  readonly page: string;
  readonly readFrom: string;
  /** The day that the source gives; empty where it gives none. */
  readonly asOf: string;
}

const prices: Readonly<Record<PriceName, Price>> = list.prices;

/** The tables of docs/operations.md, from the prices and from nothing else. */
export function costTables(): string {
  const idle = Object.entries(IDLE).map(([stack, uses]) => row(stack, uses.map(({ what, quantity }) => `${what}${quantity === 0 ? ': none' : ''}`).join(', ') + without(uses), money(sum(uses))));
  const cycle = CYCLE.map((use) => row(use.what, use.known, `${use.quantity} × ${known(prices[use.price].usd)}`, money(costOf(use))));
  const sources = Object.values(prices).map(({ what, usd, page, readFrom, asOf }) => row(what, known(usd), asOf, readFrom === '' ? '' : `[source](${readFrom})`, `[page](${page})`));
  return [
    `Idle, a month, ${list.currency}, ${list.region}:`,
    '',
    row('stack', 'what is paid for', 'a month'),
    '|---|---|---|',
    ...idle,
    '',
    `A cycle, ${list.currency}, ${list.region}:`,
    '',
    row('what', 'how it is known', 'quantity × price', 'a cycle'),
    '|---|---|---|---|',
    ...cycle,
    row(`**together**${without(CYCLE)}`, '', '', `**${money(sum(CYCLE))}**`),
    '',
    'Prices, with the day that their source gives:',
    '',
    row('what', list.currency, 'as of', 'read from', 'to be checked at'),
    '|---|---|---|---|---|',
    ...sources,
    '',
  ].join('\n');
}

function costOf({ price, quantity }: Use): number | undefined {
  const { usd } = prices[price];
  return usd === null ? undefined : usd * quantity;
}

/** Of what has a price, in USD; undefined when nothing has. */
export function sum(uses: readonly Use[]): number | undefined {
  const costs = uses.flatMap((use) => costOf(use) ?? []);
  return costs.length === 0 ? undefined : costs.reduce((whole, cost) => whole + cost, 0);
}

/** Names what a sum leaves out. */
function without(uses: readonly Use[]): string {
  const unknown = uses.filter((use) => costOf(use) === undefined).map(({ what }) => what);
  return unknown.length === 0 ? '' : `; not in the sum, since the price is not known: ${unknown.join(', ')}`;
}

export function money(usd: number | undefined): string {
  return usd === undefined ? '' : usd > 0 && usd < 0.01 ? usd.toFixed(4) : usd.toFixed(2);
}

function known(usd: number | null): string {
  return usd === null ? '' : String(usd);
}

/** One of a Markdown table. */
export function row(...cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`.replaceAll('|  |', '| |');
}
