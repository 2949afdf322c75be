import type { NightOutcome } from '../lab';
import type { Fault } from './scene';

/** A job or gate that ends with something else than success: no fault of the machinery, and never served (I4, S0.13). */
function scripted(stage: 'transform' | 'check', behaviour: string, outcomes: readonly NightOutcome[]): Fault {
  return {
    id: `${stage === 'transform' ? 'job' : 'gate'} ${behaviour}`,
    outcomes,
    arm: async ({ lab, spec }) => {
      await lab.script(spec, 2, { [stage]: { outcome: behaviour } });
      return () => 1;
    },
  };
}

export const badJob: readonly Fault[] = [
  scripted('transform', 'fail', ['failed']),
  scripted('transform', 'no-manifest', ['failed']),
  scripted('transform', 'lose-row', ['failed', 'rejected']),
  scripted('transform', 'double-row', ['failed', 'rejected']),
  scripted('transform', 'empty', ['failed', 'rejected']),
];

export const badVerdict: readonly Fault[] = [
  scripted('check', 'fail-rule', ['rejected']),
  scripted('check', 'error-rule', ['rejected']),
  scripted('check', 'missing-rule', ['rejected', 'failed']),
  scripted('check', 'no-rows', ['failed', 'rejected']),
  scripted('check', 'wrong-count', ['failed']),
  scripted('check', 'error', ['failed']),
];
