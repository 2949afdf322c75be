import { CELLS } from './cells/cells';
import { occurrences } from './planted/plant';
import { PLANTED_BUGS, type PlantedBug } from './planted/planted-bugs';
import { runBug } from './planted/run-bug';

/** What issue 4 asks for by name. */
const ASKED = [
  'random token', 'drop before switch', 'no fence at the promotion', 'no fence at the ledger', 'ledger without version check', 'gate error taken for pass',
  'no snapshot wait', 'publish before promote', 'swallowed cancellation', 'part loaded twice', 'ledger row after COPY', 'TTL trusted', 'quarantine dropped',
];
/** One that counts records, one that reads meanwhile, one that asks the gate itself: the others are for `planted/run-planted.ts`. */
const TELLING = ['quarantine dropped', 'drop before switch', 'gate error taken for pass'];

test('every bug that was asked for is planted, by a name of its own, in a scenario that there is', () => {
  const names = PLANTED_BUGS.map((bug) => bug.name);
  const cells = CELLS.map((cell) => cell.id);

  expect(names).toEqual(expect.arrayContaining(ASKED));
  expect(new Set(names).size).toBe(names.length);
  expect(cells).toEqual(expect.arrayContaining(PLANTED_BUGS.map((bug) => bug.cell)));
});

test.each(PLANTED_BUGS.map((bug) => [bug.name, bug] as const))('the source still has what "%s" alters, once, and would not have it afterwards', (_, { edits }) => {
  expect(edits.map((edit) => ({ ...edit, times: occurrences(edit) }))).toEqual(edits.map((edit) => ({ ...edit, times: 1 })));
  expect(edits.filter((edit) => edit.replace.includes(edit.find))).toEqual([]);
});

test.each(PLANTED_BUGS.filter((bug) => TELLING.includes(bug.name)).map((bug): [string, PlantedBug] => [bug.name, bug]))(
  'the harness catches "%s" (I1, I3, I4)',
  async (_, bug) => {
    const { violations, caughtBy } = await runBug(bug);

    expect({ violations, caughtBy }).toEqual({ violations, caughtBy: expect.stringMatching(bug.caughtBy) as string });
  },
  240_000,
);
