import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils';
import { cycleShares } from '../../bench/cases/whole-cycle/shares';

const recorded = (name: string) => historyFromJSON(JSON.parse(readFileSync(join(__dirname, '..', 'replay', 'histories', `${name}.json`), 'utf8')));
const at = (seconds: number) => ({ seconds, nanos: 0 });
const scheduled = (eventId: number, name: string, seconds: number) => ({ eventId, eventTime: at(seconds), activityTaskScheduledEventAttributes: { activityType: { name } } });
const started = (eventId: number, of: number, seconds: number) => ({ eventId, eventTime: at(seconds), activityTaskStartedEventAttributes: { scheduledEventId: of } });
const completed = (eventId: number, of: number, seconds: number) => ({ eventId, eventTime: at(seconds), activityTaskCompletedEventAttributes: { scheduledEventId: of } });
const end = (seconds: number) => ({ eventId: 99, eventTime: at(seconds), workflowExecutionCompletedEventAttributes: {} });

describe('where the time of a cycle goes', () => {
  test('what two activities share is waited for once; what none covers is orchestration', () => {
    const events = [
      { eventId: 1, eventTime: at(0) },
      scheduled(2, 'a', 0),
      scheduled(3, 'b', 0),
      started(4, 2, 1),
      started(5, 3, 2),
      completed(6, 2, 4),
      completed(7, 3, 5),
      scheduled(8, 'a', 6),
      started(9, 8, 7),
      completed(10, 8, 9),
      end(10),
    ];
    expect(cycleShares({ events } as never)).toEqual({ seconds: 10, byActivity: { a: 5, b: 3 }, orchestrationSeconds: 4 });
  });

  test('a recorded cycle: every activity is there, and together with orchestration they are the whole', () => {
    const { seconds, byActivity, orchestrationSeconds } = cycleShares(recorded('promoted-short-steps'));
    expect(Object.keys(byActivity)).toEqual(expect.arrayContaining(['dedupChunks', 'awaitSparkJob', 'promote']));
    expect(orchestrationSeconds).toBeGreaterThan(0);
    expect(orchestrationSeconds + Object.values(byActivity).reduce((sum, each) => sum + each, 0)).toBeGreaterThanOrEqual(seconds - 1e-6);
  });

  test('refuses a history that has not ended', () => {
    expect(() => cycleShares({ events: [{ eventId: 1, eventTime: at(0) }] } as never)).toThrow("ends without the cycle's end");
  });
});
