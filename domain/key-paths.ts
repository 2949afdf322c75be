/**
 * The keys of a value and of all that is in it, never what they hold: `spec.relations[].name`. The elements of a list are taken
 * together, and what JSON leaves out is no key.
 */
export function keyPaths(value: unknown, path = ''): ReadonlySet<string> {
  if (Array.isArray(value)) return new Set(value.flatMap((each) => [...keyPaths(each, `${path}[]`)]));
  if (typeof value !== 'object' || value === null) return new Set();
  return new Set(
    Object.entries(value).flatMap(([key, inner]) => {
      if (inner === undefined) return [];
      const own = path === '' ? key : `${path}.${key}`;
      return [own, ...keyPaths(inner, own)];
    }),
  );
}
