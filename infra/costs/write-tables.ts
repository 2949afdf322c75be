import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { costTables } from './tables';

const PAGE = join(__dirname, '..', '..', 'docs', 'operations.md');

// `npm run costs`: after a change of infra/prices.json or of what is used.
writeFileSync(PAGE, readFileSync(PAGE, 'utf8').replace(/(<!-- costs -->\n)[^]*?(<!-- end -->)/, (_all, begin: string, end: string) => `${begin}${costTables()}${end}`));
