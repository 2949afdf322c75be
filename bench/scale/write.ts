import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scalePicture, scaleTables } from './page';

const DOCS = join(__dirname, '..', '..', 'docs');
const PAGE = join(DOCS, 'scale.md');

/** Fills docs/scale.md and its picture from what is on record. @returns the page's path */
export function writeScalePage(): string {
  writeFileSync(PAGE, readFileSync(PAGE, 'utf8').replace(/(<!-- scale -->\n)[^]*?(<!-- end -->)/, (_all, begin: string, end: string) => `${begin}${scaleTables()}${end}`));
  writeFileSync(join(DOCS, 'scale.svg'), scalePicture());
  return PAGE;
}

// `npm run scale`: after a change of prices, limits or workloads; a recorded benchmark writes it as well.
if (require.main === module) writeScalePage();
