import type { Nights } from '../nights';
import type { Path, Struck } from './path';

const SECOND = 2;

/** The second night, as a schedule starts it. */
export const nightPath: Path = {
  async begin({ nights, violations }) {
    await nights.upload(SECOND);
    return struckNight(nights, SECOND, violations);
  },
};

export function struckNight(nights: Nights, index: number, violations: string[]): Struck {
  return { start: () => nights.start(index), end: (_, expected) => nights.end(index, expected, violations) };
}
