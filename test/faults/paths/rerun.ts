import { cycleWorkflowId } from '../../../domain/cycle';
import type { RerunStage } from '../../../domain/rerun';
import { nightEnd } from '../raw-night';
import type { Path } from './path';
import { startOf } from './path';

const SECOND = 2;

/** The second night has promoted, and is run again from a stage: a new generation, by what is stored. */
export function rerunPath(from: RerunStage): Path {
  return {
    async begin({ lab, spec, nights, violations }) {
      await nights.end(SECOND, ['promoted'], violations);
      const intervalEnd = nightEnd(SECOND);
      const rerun = { from, by: 'ada', reason: 'the job was wrong' };
      return {
        start: () => nights.restart(SECOND, () => startOf(lab.access.temporal, 'etlCycle', cycleWorkflowId(spec.name, intervalEnd), { pipeline: spec.name, intervalEnd, rerun })),
        end: (_, expected) => nights.end(SECOND, expected, violations),
      };
    },
  };
}
