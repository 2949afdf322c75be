import { cycleTable } from '../../cli/cycle-table';
import { took, utcAndLocal } from '../../cli/times';
import type { CycleRecord } from '../../sql/queries/cycles';

test('an instant is told in UTC, and in local time where that is another', () => {
  expect(utcAndLocal('2018-08-02T00:00:00Z', 'UTC')).toBe('2018-08-02 00:00 UTC');
  expect(utcAndLocal('2018-08-02T00:00:00Z', 'Europe/Berlin')).toMatch(/^2018-08-02 00:00 UTC \(02:00 (CEST|GMT\+2)\)$/);
  expect(utcAndLocal('2018-01-02T00:00:00Z', 'Europe/Berlin')).toMatch(/\(01:00 (CET|GMT\+1)\)$/);
  expect(utcAndLocal('2018-08-02T00:00:00Z', 'America/New_York')).toMatch(/\(2018-08-01 20:00 (EDT|GMT-4)\)$/);
});

test('a time that passed is told in its two largest units', () => {
  expect(took('2018-08-02T00:00:00Z', '2018-08-02T00:00:59Z')).toBe('59 s');
  expect(took('2018-08-02T00:00:00Z', '2018-08-02T00:03:20Z')).toBe('3 min 20 s');
  expect(took('2018-08-02T00:00:00Z', '2018-08-02T05:03:20Z')).toBe('5 h 3 min');
});

const record: CycleRecord = {
  cycle: { pipeline: 'mobile-geolocation', dataset: 'positions', intervalStart: '2018-08-01T00:00:00Z', intervalEnd: '2018-08-02T00:00:00Z', generation: 1 },
  workflowId: 'etl/mobile-geolocation-2018-08-02T00:00:00Z',
  runId: 'run',
  epoch: 1,
  outcome: 'rejected',
  detail: `served: RowCount > 10\n${'long '.repeat(60)}`,
  counts: {},
  rerun: null,
  openedAt: '2018-08-02T00:00:05.000Z',
  closedAt: '2018-08-02T00:01:10.000Z',
};

const promoted: CycleRecord = {
  ...record,
  outcome: 'promoted',
  detail: '',
  counts: { served: [{ relation: 'positions', view: 'vw_positions', version: 3, table: 'positions_v3', rows: 4242 }] },
};
const held: CycleRecord = { ...record, outcome: null, closedAt: null, detail: null, counts: { held: { until: '2018-08-02T06:00:00Z' } } };

test.each([140, Infinity])('a table of %p columns keeps a cycle on one line, and cuts the reason alone', (width) => {
  const [head, ...lines] = cycleTable([record, promoted, held], width, 'UTC').split('\n');

  expect(head).toMatch(/^pipeline .* why$/);
  expect(lines).toHaveLength(3);
  expect(lines[0]).toMatch(/2018-08-02T00:00:00Z +1 +rejected +2018-08-02 00:00 UTC +1 min 5 s +served: RowCount > 10 long/);
  expect(lines[0]?.endsWith('…')).toBe(width !== Infinity);
  expect(lines[1]).toMatch(/promoted .* 4242$/);
  expect(lines[2]).toMatch(/ held /);
  if (width === 140) for (const line of lines) expect(line.length).toBeLessThanOrEqual(140);
});

test('a table of 80 columns gives the reason a line of its own', () => {
  const lines = cycleTable([record, promoted], 80, 'UTC').split('\n');

  expect(lines).toHaveLength(4);
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
  expect(lines[2]).toMatch(/^ {2}served: RowCount > 10 long .*…$/);
});
