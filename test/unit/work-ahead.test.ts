import { both, forEachParallel } from '../../activities/for-each-parallel';
import { preparedAhead } from '../../activities/prepared-ahead';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const numbers = [...Array(20).keys()];
const lightRoom = { items: 3, weight: Number.POSITIVE_INFINITY, weightOf: () => 1 };

test('items come in their order, prepared, and never more of them than there is room for', async () => {
  let [underWay, most] = [0, 0];
  const taken: number[] = [];
  const prepare = async (item: number) => {
    most = Math.max(most, ++underWay);
    for (let turns = item % 3; turns >= 0; turns--) await turn(); // later ones may be ready first
  };

  for await (const item of preparedAhead(numbers, lightRoom, prepare)) {
    taken.push(item);
    await turn();
    underWay--;
  }

  expect(taken).toEqual(numbers);
  expect(most).toBe(3);
});

test('an item that is heavier than the room is prepared alone', async () => {
  const begun: number[] = [];
  const seen: number[][] = [];
  const room = { items: 10, weight: 5, weightOf: (item: number) => item };
  for await (const item of preparedAhead([2, 3, 9, 1], room, async (each) => void begun.push(each))) seen.push([item, begun.length]);
  expect(seen).toEqual([[2, 2], [3, 2], [9, 3], [1, 4]]);
});

test('the first failure in order is thrown once all that began has ended, and nothing new begins', async () => {
  const [begun, ended]: [number[], number[]] = [[], []];
  const prepare = async (item: number) => {
    begun.push(item);
    for (let turns = item; turns >= 0; turns--) await turn();
    ended.push(item);
    if (item === 1) throw new Error('one');
  };
  const take = async () => {
    for await (const item of preparedAhead(numbers, lightRoom, prepare)) expect(item).toBe(0);
  };
  await expect(take()).rejects.toThrow('one');
  expect(begun).toEqual([0, 1, 2, 3]);
  expect(ended).toEqual(begun);
});

test('what comes from a source that takes time is worked at in parallel, and the source is closed behind a failure', async () => {
  let closed = false;
  async function* source() {
    try {
      for (const number of numbers) {
        await turn();
        yield number;
      }
    } finally {
      closed = true;
    }
  }
  const done: number[] = [];
  await forEachParallel(source(), 4, async (number) => void done.push(number));
  expect(done.sort((a, b) => a - b)).toEqual(numbers);

  closed = false;
  const failing = forEachParallel(source(), 4, (number) => (number === 5 ? Promise.reject(new Error('five')) : turn()));
  await expect(failing).rejects.toThrow('five');
  expect(closed).toBe(true);
});

test('of two, a failure is thrown once the other has ended', async () => {
  let ended = false;
  const slow = async () => {
    for (let turns = 0; turns < 5; turns++) await turn();
    ended = true;
  };
  await expect(both(Promise.reject(new Error('first')), slow())).rejects.toThrow('first');
  expect(ended).toBe(true);
});
