import type { NightOutcome } from '../lab';
import { at } from './faults';
import type { Fault, Scene } from './scene';

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

/** A job or gate that would run for minutes: who ends its night must end it too (I7). */
function unfinished(stage: 'transform' | 'check', by: 'cancel' | 'terminate', outcomes: readonly NightOutcome[]): Fault {
  const end = async ({ night }: Scene) => void (await (await night)[by]());
  return {
    id: `${by}, of a ${stage === 'transform' ? 'job' : 'gate'} that takes minutes`,
    outcomes,
    arm: async (scene, point, from) => {
      await scene.lab.script(scene.spec, 2, { [stage]: { seconds: 300 } });
      return at(by, 'before', end, outcomes).arm(scene, point, from);
    },
  };
}

export const unfinishedJob: readonly Fault[] = [unfinished('transform', 'cancel', ['cancelled']), unfinished('transform', 'terminate', ['terminated'])];
export const unfinishedGate: readonly Fault[] = [unfinished('check', 'cancel', ['cancelled']), unfinished('check', 'terminate', ['terminated'])];

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
