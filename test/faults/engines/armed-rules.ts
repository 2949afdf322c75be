/** Which of its matches a rule acts on: the first is 1, and so many in a row. */
export interface Strike {
  readonly from: number;
  readonly times: number;
}

/** Rules of a proxy, each with what it has seen and how often it has struck. */
export class ArmedRules<Rule extends Strike> {
  private armed: { readonly rule: Rule; seen: number; hits: number }[] = [];

  get isEmpty(): boolean {
    return this.armed.length === 0;
  }

  /** @returns how often the rule has acted */
  arm(rule: Rule): () => number {
    const armed = { rule, seen: 0, hits: 0 };
    this.armed.push(armed);
    return () => armed.hits;
  }

  disarm(): void {
    this.armed = [];
  }

  /** Rules that act now, in the order in which they were armed. One that is not asked for does not count this match. */
  *due(matches: (rule: Rule) => boolean): Generator<Rule> {
    for (const armed of this.armed) {
      if (!matches(armed.rule)) continue;
      armed.seen += 1;
      if (armed.seen < armed.rule.from || armed.hits >= armed.rule.times) continue;
      armed.hits += 1;
      yield armed.rule;
    }
  }
}
