const { existsSync } = require('node:fs');
const { join } = require('node:path');
const { default: Sequencer } = require('@jest/test-sequencer');

/**
 * Files that take about a minute and more on two cores, the longest first. A fresh clone has no durations from earlier runs, and Jest then begins
 * with the largest files: the long ones that are small in text would come last, one beside an idle core.
 */
const LONGEST = [
  'e2e/demo',
  'faults/slice',
  'rollback/rollback',
  'dedup/spark-engine',
  'contract/emr-warm-drivers',
  'inbox/inbox',
  'replay/archive',
  'backfill/backfill',
  'faults/dry-run',
  'faults/planted',
  'decisions/decisions',
  'faults/audit',
  'infra/enforced',
];
const gone = LONGEST.filter((name) => !existsSync(join(__dirname, `${name}.test.ts`)));
if (gone.length > 0) throw new Error(`test/longest-first.js lists ${gone.join(', ')}, which are no test files: they were renamed or removed`);

module.exports = class LongestFirst extends Sequencer {
  sort(tests) {
    const rank = ({ path }) => {
      const place = LONGEST.findIndex((name) => path.endsWith(`/test/${name}.test.ts`));
      return place === -1 ? LONGEST.length : place;
    };
    return [...super.sort(tests)].sort((a, b) => rank(a) - rank(b)); // the sort is stable: the others keep Jest's order
  }
};
