import { nextLines } from '../../cli/cycle-text';
import { messageOf, redrawsLines } from '../../cli/output';
import { cycleDetails } from '../../domain/cycle-details';
import { mobileGeolocation } from '../../pipelines/mobile-geolocation';

test.each([
  ['a terminal', true, { TERM: 'xterm-256color' }, true],
  ['no terminal', false, { TERM: 'xterm-256color' }, false],
  ['a terminal that only appends', true, { TERM: 'dumb' }, false],
  ["a CI job's log", true, { TERM: 'xterm', CI: 'true' }, false],
])('progress on %s', (_, isTerminal, env, redraws) => {
  expect(redrawsLines(isTerminal, env)).toBe(redraws);
});

test('a refused connection says what to start, or where to look', () => {
  const refused = (port: number) => Object.assign(new Error(`connect ECONNREFUSED 127.0.0.1:${port}`), { code: 'ECONNREFUSED' });

  expect(messageOf(refused(5432))).toMatch(/^connect ECONNREFUSED 127\.0\.0\.1:\d+: nothing listens there\. `npx meridian up` .* PGHOST, PGPORT, /);
  expect(messageOf(new AggregateError([refused(5432), refused(5432)], ''))).toMatch(/^connect ECONNREFUSED 127\.0\.0\.1:5432: nothing listens there\.[^;]*; elsewhere PGHOST[^;]*$/);
});

test('a command that may be given next has a line of its own', () => {
  expect(nextLines([])).toEqual([]);
  expect(nextLines([{ what: 'reject it', command: 'npx meridian reject' }])).toEqual(['What you may do:', '  reject it:', '    npx meridian reject']);
});

test('an execution carries what its pipeline is, and the commands that tell more', () => {
  const details = cycleDetails(mobileGeolocation, '2018-08-02T00:00:00Z');

  expect(details).toContain(`${mobileGeolocation.description}. Dataset ${mobileGeolocation.dataset}; serves vw_positions, vw_zone_activity.\n\n`);
  expect(details).toContain('\n- `npx meridian logs mobile-geolocation 2018-08-02T00:00:00Z`');
  expect(cycleDetails(mobileGeolocation)).toMatch(/\n- `npx meridian cycles list --pipeline mobile-geolocation`$/);
});
