/** Where long work says how far it is; `cli/output.ts` draws it, tests may keep it. */
export interface Progress {
  /** One finished fact or the start of something long. */
  note(message: string): void;
  /**
   * How far `label` is; repeated calls replace each other on a terminal.
   * @param total - in the unit of `done`; absent when nobody knows
   */
  advance(label: string, done: number, total?: number, unit?: string): void;
}

/** For callers that want no output. */
export const silent: Progress = { note: () => undefined, advance: () => undefined };
