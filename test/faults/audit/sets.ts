/** Those of `wanted` that are not `there`, each once. */
export function missingFrom(there: ReadonlySet<string>, wanted: Iterable<string>): readonly string[] {
  return [...new Set(wanted)].filter((each) => !there.has(each));
}

/** Those that occur more than once, each once. */
export function repeated(values: readonly string[]): readonly string[] {
  const seen = new Set<string>();
  return [...new Set(values.filter((value) => seen.size === seen.add(value).size))];
}
