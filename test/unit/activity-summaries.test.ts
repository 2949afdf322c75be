import { ACTIVITY_SUMMARIES } from '../../domain/activity-summaries';
import { fakeActivities } from '../workflows/fake-activities';

/** Called by other activities only, never by the workflow. */
const INTERNAL = ['recordJob', 'recordJobState', 'chunkTotals'];

test('every activity that a workflow schedules has its line for the Web UI, and no line is left of one that is gone', () => {
  const scheduled = Object.keys(fakeActivities().activities).filter((name) => !INTERNAL.includes(name));

  expect(Object.keys(ACTIVITY_SUMMARIES).sort()).toEqual(scheduled.sort());
});
