import type { ClientConfig } from 'pg';
import type { ReaderOptions, ReadersReport } from './report';

/** What the readers' process needs to know before its first read. */
export interface ReadersOrder {
  /** A direct connection: a proxy that fails would be taken for a view that fails. */
  readonly connection: Pick<ClientConfig, 'host' | 'port' | 'database' | 'user'> & { readonly password?: string };
  readonly views: { readonly points: string; readonly totals: string };
  /** A version has rows of several nights, and is known by the newest: of a pipeline that is refreshed by day. */
  readonly byDay?: boolean;
  readonly options: Required<ReaderOptions>;
}

/** How far the readers are. */
export interface ReadersProgress {
  readonly reads: number;
  readonly violations: number;
  readonly failedWhileDown: number;
}

/** What the harness asks of the readers' process; each is answered once, by its id. */
export type ReadersRequest =
  | { readonly ask: 'start'; readonly order: ReadersOrder }
  | { readonly ask: 'phase'; readonly name: string }
  | { readonly ask: 'expectEarlierNights'; readonly expected: boolean }
  | { readonly ask: 'progress' }
  | { readonly ask: 'report' };

export interface ReadersAnswer {
  readonly id: number;
  readonly error?: string;
  readonly progress?: ReadersProgress;
  readonly report?: ReadersReport;
}
