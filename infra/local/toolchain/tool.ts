import type { Progress } from '../progress';

/** Something that the local stack needs and the machine may lack. */
export interface Tool {
  readonly name: string;
  /** What a person calls it, with its version. */
  readonly title: string;
  /** To download, and on disk afterwards, in megabytes. */
  readonly downloadMb: number;
  readonly diskMb: number;
  /** How long an installation takes on 2 cores, in seconds. */
  readonly seconds: number;
  /** Names of tools that must be there before this one can be installed. */
  readonly after?: readonly string[];
  /** The tool where it is complete and of the right version; never installs. */
  locate(): Promise<Found | undefined>;
  /**
   * Brings the tool, whole or not at all. Safe to run twice.
   * @throws StackError that says what the machine lacks and what to do
   */
  install(progress: Progress): Promise<Found>;
}

/** A tool that can be used. */
export interface Found {
  readonly version: string;
  /** The executable; a folder where the tool is a set of files. */
  readonly path: string;
  /** Environment that the tool needs to run. */
  readonly env: Readonly<Record<string, string>>;
}
