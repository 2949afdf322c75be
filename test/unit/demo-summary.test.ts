import { summarise } from '../../cli/demo/reader-loop';
import { summariseNight, summaryText, windowOf } from '../../cli/demo/summary';
import { STAGES } from '../../domain/cycle';
import type { CycleReport } from '../../domain/progress';

const rejected: CycleReport = {
  cycle: {
    pipeline: 'mobile-geolocation',
    dataset: 'mobile_positions',
    intervalStart: '2019-11-29T00:00:00Z',
    intervalEnd: '2019-11-30T00:00:00Z',
    generation: 1,
  },
  workflowId: 'etl/mobile-geolocation-2019-11-30T00:00:00Z',
  outcome: 'rejected',
  reason: 'added: Completeness "speed" > 0.9 (0.0)',
  objectCount: 11,
  records: { read: 26_281, stored: 870, duplicates: 0, quarantined: { too_late: 25_410, bad_line: 1, future: 0 } },
  served: [],
  rules: [
    { step: 'added', rule: 'RowCount > 0', result: 'PASS' },
    { step: 'added', rule: 'Completeness "speed" > 0.9', result: 'FAIL', message: '0.0' },
    { step: 'served', rule: 'RowCount > 0', result: 'ERROR' },
  ],
  stages: STAGES.map((stage, index) =>
    stage === 'promote' ? { stage, state: 'skipped' } : { stage, state: 'done', startedAtMs: index * 1_000, finishedAtMs: index * 1_000 + 250 },
  ),
};
const readers = { reads: 10, failed: 0, empty: 0, mixed: 0, longestMs: 12.5 };

test('S0.10 a night that is not promoted says why, what is served instead, and counts an ERROR among the failed rules', () => {
  const night = summariseNight(rejected, { positions: 139_098 }, readers);
  const text = summaryText({ nights: [night], temporalUi: 'http://ui', postgresUrl: 'postgresql://x', awsEndpoint: 'http://aws', totalMs: 1_000 });

  expect(night).toMatchObject({ outcome: 'rejected', rulesPassed: 1, rulesFailed: 2, promotionMs: null, reason: rejected.reason });
  expect(night.quarantined).toEqual({ too_late: 25_410, bad_line: 1 });
  expect(night.stages).toEqual(Object.fromEntries(STAGES.filter((stage) => stage !== 'promote').map((stage) => [stage, 250])));
  expect(text).toContain('read       26,281 = stored 870 + duplicates 0 + quarantined 25,411 (too_late 25,410, bad_line 1)');
  expect(text).toContain('serving    positions 139,098 rows, as before: this night was not promoted');
  expect(text).toContain('why        added: Completeness "speed" > 0.9 (0.0)');
});

test('X2 the longest read is the longest of those that met the promotion, where there was one', () => {
  const read = (startedAtMs: number, longestMs: number, verdict: 'good' | 'failed' | 'empty' | 'mixed' = 'good') => ({
    kind: 'statement' as const,
    startedAtMs,
    longestMs,
    verdict,
  });
  const reads = [read(0, 900), read(990, 20), read(1_050, 30, 'mixed'), read(1_200, 500, 'failed')];

  expect(summarise(reads, { fromMs: 1_000, toMs: 1_100 })).toEqual({ reads: 4, failed: 1, empty: 0, mixed: 1, longestMs: 30 });
  expect(summarise(reads).longestMs).toBe(900);
  expect(summarise([])).toEqual({ reads: 0, failed: 0, empty: 0, mixed: 0, longestMs: 0 });
  expect(windowOf(rejected, 'promote')).toBeUndefined();
  expect(windowOf(rejected, 'check')).toEqual({ fromMs: 5_000, toMs: 5_250 });
});
