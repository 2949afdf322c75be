import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Benchmark } from '../benchmark';
import { ROOT } from '../checkout';
import { combined, measured, median, type Usage } from '../measure';
import { held, type Result } from '../results';
import { CycleRig } from './cycle-overhead/cycles';

const PERSISTENCES = ['memory', 'file'] as const;
const FOR_A_LOOK = ['file'] as const; // as the local stack has it
const WAVE = 40;
const ROUNDS = 2;

/** What the local stack's own settings of Temporal's dev server save, beside the same server as it comes. */
export const serverSettings: Benchmark = {
  name: 'server-settings',
  title: "what do the local stack's settings of Temporal's dev server save?",
  async run({ quick, scratch, note }) {
    const usages: Usage[] = [];
    const results: Result[] = [];
    for (const persistence of quick ? FOR_A_LOOK : PERSISTENCES) {
      note(`cycles by turns on a server with our settings and on one as it comes, ${persistence}`);
      const start = (name: string, settings?: readonly string[]) => {
        const home = join(scratch, `${persistence}-${name}`);
        mkdirSync(home);
        return CycleRig.start(home, persistence, ROOT, settings);
      };
      const rigs = [await start('ours'), await start('default', [])] as const;
      try {
        const alone: [number[], number[]] = [[], []];
        const waves: [Usage[], Usage[]] = [[], []];
        for (const rig of rigs) await rig.oneAtATime(1);
        for (let round = 0; round < ROUNDS; round += 1) {
          for (const [side, rig] of rigs.entries()) {
            alone[side]?.push(...(await rig.oneAtATime(quick ? 3 : 10)));
            waves[side]?.push((await measured(rig.pids, () => rig.atOnce(quick ? WAVE / 4 : WAVE, WAVE))).usage);
          }
        }
        usages.push(...waves[0]);
        const ratio = (of: (usage: Usage) => number) => median(waves[0].map(of)) / median(waves[1].map(of));
        const name = (what: string) => `server-settings/${persistence}/${what}`;
        results.push(held(name('one-at-a-time'), median(alone[0]) / median(alone[1]), "of the default's median seconds", 'at most', 1));
        results.push(held(name('at-once-seconds'), ratio(({ seconds }) => seconds), "of the default's seconds", 'at most', 1));
        results.push(held(name('at-once-cpu'), ratio(({ cpuSeconds }) => cpuSeconds), "of the default's CPU-s", 'at most', 1));
      } finally {
        await Promise.all(rigs.map((rig) => rig.stop()));
      }
    }
    return { results, usage: combined(usages) };
  },
};
