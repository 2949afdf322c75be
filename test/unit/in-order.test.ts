import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { inOrder } from '../../activities/in-order';

/** Counts what was made of each source, and which are at work. */
function sources(lengths: readonly number[], pauseMs = () => 0) {
  const made = lengths.map(() => 0);
  const open = new Set<number>();
  let mostOpen = 0;
  const all = lengths.map((length, source) =>
    async function* () {
      open.add(source);
      mostOpen = Math.max(mostOpen, open.size);
      try {
        for (let item = 0; item < length; item++) {
          await sleep(pauseMs());
          made[source] = (made[source] ?? 0) + 1;
          yield `${source}.${item}`;
        }
      } finally {
        open.delete(source);
      }
    },
  );
  return { all, made, open, mostOpen: () => mostOpen };
}

describe('sources one after another, read ahead (S2.2)', () => {
  test.each([1, 3, 8])('%d at once: everything comes once and in order, however long each takes', async (atOnce) => {
    const { all, mostOpen } = sources([3, 0, 5, 1, 0, 2], () => Math.random() * 5);

    const found = await Readable.from(inOrder(all, { atOnce, ahead: 2 })).toArray();

    expect(found).toEqual(['0.0', '0.1', '0.2', '2.0', '2.1', '2.2', '2.3', '2.4', '3.0', '5.0', '5.1']);
    expect(mostOpen()).toBeLessThanOrEqual(atOnce);
  });

  test('no source runs further ahead than it may, and none before its place is free', async () => {
    const { all, made, open } = sources([1_000, 1_000, 1_000, 1_000]);
    const items = inOrder(all, { atOnce: 2, ahead: 4 });
    await items.next();
    await sleep(100);

    expect(made[1]).toBeGreaterThanOrEqual(4);
    expect(made.every((count) => count <= 7)).toBe(true); // one on its way in and one on its way out beside what is kept
    expect(made.slice(2)).toEqual([0, 0]);

    await items.return(undefined);
    await sleep(50);
    expect(open.size).toBe(0);
  });

  test('a failure comes at its source’s turn, after the sources before it, and ends the others', async () => {
    const { all, open } = sources([2, 1_000]);
    const failing = async function* () {
      yield 'before it';
      throw new Error('the listing broke off');
    };
    const found: string[] = [];
    const read = async () => {
      for await (const item of inOrder<string>([all[0] ?? failing, failing, all[1] ?? failing], { atOnce: 3, ahead: 2 })) {
        found.push(item);
        await sleep(20);
      }
    };

    await expect(read()).rejects.toThrow('the listing broke off');
    await sleep(50);
    expect(found.slice(0, 2)).toEqual(['0.0', '0.1']);
    expect(found).not.toContain('1.0');
    expect(open.size).toBe(0);
  });
});
