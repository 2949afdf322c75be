import fc from 'fast-check';
import { type AnnounceOutcomeInput, announcementOf, outcomeIdOf, outcomeMetric } from '../../domain/announcement';
import { mailText, outcomeMessage, smsText } from '../../domain/announcement-bodies';

const cycle = {
  pipeline: 'mobile-geolocation',
  dataset: 'positions',
  intervalStart: '2018-08-01T00:00:00Z',
  intervalEnd: '2018-08-02T00:00:00Z',
  generation: 2,
};
const named = 'mobile-geolocation 2018-08-02T00:00:00Z';
const counts = { RecordsRead: 100, RecordsStored: 90, RecordsDuplicate: 7, RecordsQuarantined: 3 };
const until = '2018-08-02T06:00:00Z';

interface Case {
  readonly input: AnnounceOutcomeInput;
  readonly id: string;
  readonly metric: string;
  readonly says: RegExp;
  readonly next: readonly string[];
}

const CASES: readonly Case[] = [
  {
    input: { cycle, outcome: 'promoted', counts, served: { vw_positions: 4242 } },
    id: 'g0002/promoted',
    metric: 'CyclePromoted',
    says: /Served by vw_positions +4242 rows/,
    next: [`npx meridian cycles show ${named}`, 'npx meridian rollback vw_positions --reason'],
  },
  { input: { cycle, outcome: 'empty', counts, reason: 'no raw object arrived' }, id: 'g0002/empty', metric: 'CycleEmpty', says: /nothing new/, next: [`npx meridian cycles show ${named}`] },
  {
    input: { cycle, outcome: 'rejected', counts, reason: 'served: RowCount > 10 (4)' },
    id: 'g0002/rejected',
    metric: 'CycleRejected',
    says: /set aside/,
    next: [`npx meridian rerun ${named} --reason`, `npx meridian discard ${named} --reason`],
  },
  { input: { cycle, outcome: 'blocked', counts, reason: 'locks' }, id: 'g0002/blocked', metric: 'CycleBlocked', says: /could not be promoted/, next: [`npx meridian rerun ${named} --from load --reason`] },
  { input: { cycle, outcome: 'failed', counts, reason: 'boom' }, id: 'g0002/failed', metric: 'CycleFailed', says: /failed/, next: [`npx meridian logs ${named}`, `npx meridian rerun ${named} --reason`] },
  { input: { cycle, outcome: 'cancelled', counts: {} }, id: 'g0002/cancelled', metric: 'CycleCancelled', says: /cancelled/, next: [`npx meridian rerun ${named} --reason`] },
  {
    input: { cycle, outcome: 'held', until, counts, reason: 'added: IsComplete "lat"' },
    id: 'g0002/held',
    metric: 'CycleHeld',
    says: /waits until 2018-08-02 06:00 UTC/,
    next: [`npx meridian approve ${named} --reason`, `npx meridian reject ${named} --reason`],
  },
  {
    input: { cycle, outcome: 'reminder', reminder: 3, until, counts },
    id: 'g0002/reminder/3',
    metric: 'CycleReminder',
    says: /still waits .*reminder 3.*2018-08-02 06:00 UTC/s,
    next: [`npx meridian approve ${named} --reason`],
  },
  {
    input: { cycle, outcome: 'rolled-back', sequence: 9, by: 'ada', held: true, reason: 'wrong zones', counts: { Rows_positions: 4000 } },
    id: 'mobile-geolocation/rollback/9',
    metric: 'CycleRolledBack',
    says: /ada rolled back.*until 2018-08-02 00:00 UTC again.*Why: wrong zones.*positions +4000 rows/s,
    next: ['npx meridian versions positions', 'npx meridian rollback positions --continue'],
  },
];

test.each(CASES)('S2.18 $input.outcome says what happened, why, the interval, the counts, and what to type next', ({ input, id, metric, says, next }) => {
  const text = mailText(announcementOf(input));

  expect(text).toMatch(says);
  if (input.reason !== undefined) expect(text).toContain(`Why: ${input.reason}`);
  expect(text).toContain('2018-08-01 00:00 UTC to 2018-08-02 00:00 UTC');
  if (input.counts['RecordsRead'] !== undefined) expect(text).toContain('read 100 = stored 90 + duplicates 7 + quarantined 3');
  for (const command of next) expect(text.split('\n').some((line) => line.trim().startsWith(command))).toBe(true);
  expect(outcomeIdOf(input).endsWith(id)).toBe(true);
  expect(outcomeMetric(input.outcome)).toBe(metric);
});

test('S2.18 a rollback that holds nothing asks nobody to go on', () => {
  const text = mailText(announcementOf({ cycle, outcome: 'rolled-back', sequence: 9, by: 'ada', held: false, counts: { Rows_positions: 1 } }));

  expect(text).not.toContain('--continue');
});

test('S2.18 an SMS tells a held cycle from a failed one, and says the command where it fits', () => {
  expect(smsText(announcementOf({ cycle: { ...cycle, pipeline: 'ais' }, outcome: 'failed', counts }))).toBe('Meridian: ais: failed. npx meridian logs ais 2018-08-02T00:00:00Z');
  expect(smsText(announcementOf({ cycle, outcome: 'held', until, counts }))).toMatch(/^Meridian: mobile-geolocation: held for a decision until 2018-08-02 06:00 UTC/);
});

test('S2.18 Slack gets its own characters escaped, and the same command', () => {
  const { message } = outcomeMessage({ cycle, outcome: 'rejected', counts, reason: 'ColumnCount < 4 & RowCount > 10' });
  const document = JSON.parse((JSON.parse(message) as { readonly default: string }).default) as { readonly slack: unknown };

  const slack = JSON.stringify(document.slack);
  expect(slack).toContain('ColumnCount &lt; 4 &amp; RowCount &gt; 10');
  expect(slack).toContain(`npx meridian discard ${named}`);
});

const words = fc.oneof(fc.string({ maxLength: 5_000, unit: 'binary' }), fc.string({ maxLength: 5_000 }), fc.constantFrom('&'.repeat(9_000), 'x'.repeat(9_000), '\r\n\u0000', '😀'.repeat(4_000), '\ud800'));
const anyOutcome: fc.Arbitrary<AnnounceOutcomeInput> = fc.record({
  cycle: fc.constant(cycle).chain((base) => fc.stringMatching(/^[a-z][a-z0-9-]{1,31}$/).map((pipeline) => ({ ...base, pipeline }))),
  outcome: fc.constantFrom(...CASES.map((each) => each.input.outcome)),
  reason: words,
  by: words,
  until: fc.constant(until),
  reminder: fc.nat(1_000),
  sequence: fc.nat(),
  held: fc.boolean(),
  counts: fc.oneof(fc.constant({}), fc.constant(counts), fc.dictionary(fc.stringMatching(/^Rows_[a-z_]{1,40}$/), fc.nat(), { maxKeys: 30 })),
  served: fc.dictionary(fc.stringMatching(/^vw_[a-z_]{1,40}$/), fc.nat(), { maxKeys: 30 }),
});

interface SlackBlock {
  readonly text?: { readonly type: string; readonly text: string };
  readonly fields?: readonly { readonly text: string }[];
}

test('S2.18 whatever the reason, the name and the counts, every body is one that its reader takes', () => {
  fc.assert(
    fc.property(anyOutcome, (input) => {
      const { subject, message } = outcomeMessage(input);

      expect(subject).toMatch(/^Meridian: [\x20-\x7e]+$/);
      expect(subject.length).toBeLessThan(100);
      expect(Buffer.byteLength(message)).toBeLessThan(200 * 1024);
      const bodies = JSON.parse(message) as Readonly<Record<'default' | 'email' | 'sms' | 'https', string>>;
      expect(bodies.sms).toMatch(/^[\x20-\x7e]{1,140}$/);
      for (const line of bodies.email.split('\n')) {
        expect(line).not.toMatch(/[\p{Cc}\p{Surrogate}]/u);
        if (line.length > 110) expect(line.trim().startsWith('npx') || !line.replace(/^Why: /, '').includes(' ') || line.includes('Served by')).toBe(true);
      }
      expect(JSON.parse(bodies.https)).toMatchObject({ version: '1.0', source: 'custom', content: { textType: 'client-markdown' } });
      const document = JSON.parse(bodies.default) as { readonly outcomeId: string; readonly outcome: string; readonly slack: { readonly blocks: readonly SlackBlock[] } };
      expect(document).toMatchObject({ outcomeId: outcomeIdOf(input), outcome: input.outcome, cycle: input.cycle });
      expect(document.slack.blocks.length).toBeLessThanOrEqual(50);
      for (const { text, fields = [] } of document.slack.blocks) {
        if (text !== undefined) expect(text.text.length).toBeLessThanOrEqual(text.type === 'plain_text' ? 150 : 3_000);
        expect(fields.length).toBeLessThanOrEqual(10);
        for (const field of fields) expect(field.text.length).toBeLessThanOrEqual(2_000);
      }
    }),
    { numRuns: 300 },
  );
});
