import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One rule of a checker that the named resources (or parameters) break with a reason. */
interface Accepted {
  readonly rule: string;
  readonly resources: readonly string[];
  readonly reason: string;
}

export interface Verdict {
  /** Found, and in no entry. */
  readonly unexplained: readonly string[];
  /** In an entry, and not found, or there twice. */
  readonly unused: readonly string[];
  /** Rules whose reason is none. */
  readonly unreasoned: readonly string[];
}

export const NOTHING: Verdict = { unexplained: [], unused: [], unreasoned: [] };

/** Holds what a checker found (`RULE LogicalId`) against the entries of `<name>-accepted.json`. */
export function verdict(name: string, found: readonly string[]): Verdict {
  const accepted = JSON.parse(readFileSync(join(__dirname, `${name}-accepted.json`), 'utf8')) as readonly Accepted[];
  const excused = accepted.flatMap(({ rule, resources }) => resources.map((resource) => `${rule} ${resource}`));
  return {
    unexplained: [...new Set(found)].filter((each) => !excused.includes(each)),
    unused: excused.filter((each, index) => !found.includes(each) || excused.indexOf(each) !== index),
    unreasoned: accepted.filter(({ reason }) => reason.split(' ').length < 8).map(({ rule }) => rule),
  };
}
