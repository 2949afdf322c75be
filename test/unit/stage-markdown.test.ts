import { stageMarkdown } from '../../domain/stage-markdown';

const interval = { pipeline: 'ais', intervalStart: '2018-08-01T00:00:00Z', intervalEnd: '2018-08-02T00:00:00Z', generation: 2 };
const startedAtMs = Date.parse('2018-08-02T12:03:05Z');

test('a running cycle says what it waits for, since when, and what comes next', () => {
  const text = stageMarkdown({
    ...interval,
    stages: [
      { stage: 'dedup', state: 'done', startedAtMs: startedAtMs - 3_100, finishedAtMs: startedAtMs, detail: 'read 10 = stored 10' },
      { stage: 'transform', state: 'running', startedAtMs, detail: 'EMR job run 00f1 over 10 rows in 1 files' },
      { stage: 'check', state: 'waiting' },
    ],
  });

  expect(text).toContain('Now: **transform** since 2018-08-02 12:03:05 UTC: EMR job run 00f1 over 10 rows in 1 files; next: check\n');
  expect(text).toContain('| ✔\u00a0dedup | done | 3.1\u00a0s | read 10 = stored 10 |');
});

test('a stage that has nothing to say yet still says what it waits for', () => {
  const text = stageMarkdown({ ...interval, stages: [{ stage: 'turn', state: 'running', startedAtMs }, { stage: 'discover', state: 'waiting' }] });

  expect(text).toContain("Now: **turn** since 2018-08-02 12:03:05 UTC: waits for the dataset's turn, which another cycle may hold; next: discover\n");
});

test('what a person may do is there as commands to paste', () => {
  const command = 'npx meridian approve ais 2018-08-02T00:00:00Z --reason "..."';
  const text = stageMarkdown({
    ...interval,
    stages: [{ stage: 'check', state: 'running', startedAtMs, detail: 'held: 1 rule failed' }],
    next: [{ what: 'promote it all the same', command }],
  });

  expect(text).toContain(`\nWhat you may do:\n\n- promote it all the same: \`${command}\`\n\n| stage |`);
});

test('a cycle that has ended waits for nothing, and what is said of a stage stays in its cell', () => {
  const text = stageMarkdown({ ...interval, outcome: 'failed', stages: [{ stage: 'load', state: 'failed', detail: 'a | b' }] });

  expect(text).not.toContain('Now:');
  expect(text).toContain('generation 2: **failed**');
  expect(text).toContain('a \\| b');
});
