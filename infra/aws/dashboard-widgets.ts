/** A widget as CloudWatch reads it. @see CloudWatch, "Dashboard body structure and syntax" */
export interface Widget {
  readonly type: 'alarm' | 'metric' | 'text';
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly properties: Readonly<Record<string, unknown>>;
}

/** One line of a graph: namespace, name, dimensions in pairs, then how it is drawn; or an expression alone. */
export type Series = readonly [string, string, ...unknown[]] | readonly [{ readonly expression: string; readonly label: string }];

/** A graph before it has a place. */
export interface Graph {
  readonly title: string;
  readonly metrics: readonly Series[];
  readonly stat: 'Maximum' | 'Sum';
  readonly period: number;
  /** Lines on one another: parts of a whole. */
  readonly stacked?: boolean;
}

/** Columns of a dashboard, and how high a row of graphs is. */
const COLUMNS = 24;
const ROW_HEIGHT = 6;

/** A title over one row of graphs of equal width. @returns the widgets and where the next row begins */
export function row(title: string, graphs: readonly Graph[], y: number, region: string): { readonly widgets: readonly Widget[]; readonly next: number } {
  const width = Math.floor(COLUMNS / graphs.length);
  return {
    widgets: [
      { type: 'text', x: 0, y, width: COLUMNS, height: 1, properties: { markdown: `## ${title}` } },
      ...graphs.map(({ stacked = false, ...graph }, index) => ({
        type: 'metric' as const,
        ...{ x: index * width, y: y + 1, width, height: ROW_HEIGHT },
        properties: { view: 'timeSeries', stacked, region, ...graph },
      })),
    ],
    next: y + 1 + ROW_HEIGHT,
  };
}
