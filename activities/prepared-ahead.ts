/** How much may be prepared and not yet taken, at least one item. */
export interface Room<T> {
  readonly items: number;
  readonly weight: number;
  readonly weightOf: (item: T) => number;
}

/** Items in their order, each once `prepare` has ended for it; the next ones are prepared meanwhile. Ends when all that began has ended. */
export async function* preparedAhead<T>(items: readonly T[], room: Room<T>, prepare: (item: T) => Promise<void>): AsyncGenerator<T> {
  const begun: { readonly item: T; readonly done: Promise<void> }[] = [];
  let [next, weight] = [0, 0];
  const begin = () => {
    for (let item = items[next]; item !== undefined; item = items[++next]) {
      if (begun.length > 0 && (begun.length >= room.items || weight + room.weightOf(item) > room.weight)) return;
      const done = prepare(item);
      done.catch(() => undefined); // its turn comes, unless an earlier one has failed
      begun.push({ item, done });
      weight += room.weightOf(item);
    }
  };
  try {
    for (begin(); begun[0] !== undefined; begin()) {
      const { item, done } = begun[0];
      await done;
      yield item;
      begun.shift();
      weight -= room.weightOf(item);
    }
  } finally {
    await Promise.allSettled(begun.map(({ done }) => done));
  }
}
