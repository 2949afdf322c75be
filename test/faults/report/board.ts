import { STAGES } from '../../../domain/cycle';
import { type Cell, CELLS } from '../cells/cells';
import { POINTS } from '../cells/points';
import type { RecordedScenario } from './record';

const LEFT = 380;
const TOP = 40;
const WIDTH = 84;
const HEIGHT = 17;
const COLOURS = { held: '#2e8b57', broke: '#c0392b', open: '#d0d0d0' } as const;

/** Of a night the fault alone; of what people do with one, what they do and the fault. */
function rowOf({ path, fault }: Cell): string {
  return path === 'night' ? fault.id : `${path}: ${fault.id}`;
}

/** Faults down, stages across: each box tells how many scenarios of how many cells held. */
export function boardSvg(record: readonly RecordedScenario[]): string {
  const faults = [...new Set(CELLS.map(rowOf))];
  const height = TOP + faults.length * HEIGHT + 10;
  const width = LEFT + STAGES.length * WIDTH + 10;
  const byCell = new Map<string, RecordedScenario[]>();
  for (const each of record) byCell.set(each.cell, [...(byCell.get(each.cell) ?? []), each]);
  const boxes = faults.flatMap((fault, row) =>
    STAGES.flatMap((stage, column) => {
      const cells = CELLS.filter((cell) => rowOf(cell) === fault && POINTS[cell.point].stage === stage);
      if (cells.length === 0) return [];
      const runs = cells.map((cell) => byCell.get(cell.id) ?? []);
      const state = runs.flat().some(({ violations }) => violations.length > 0) ? 'broke' : runs.some((each) => each.length === 0) ? 'open' : 'held';
      const [x, y] = [LEFT + column * WIDTH, TOP + row * HEIGHT];
      const title = `${fault}, ${stage}: ${cells.length} cells, ${runs.flat().length} scenarios`;
      return [
        `<g><title>${escape(title)}</title><rect x="${x}" y="${y}" width="${WIDTH - 3}" height="${HEIGHT - 3}" rx="2" fill="${COLOURS[state]}"/>` +
          `<text x="${x + WIDTH / 2}" y="${y + 11}" text-anchor="middle" fill="${state === 'open' ? '#333' : '#fff'}">${runs.flat().length}</text></g>`,
      ];
    }),
  );
  const names = faults.map((fault, row) => `<text x="${LEFT - 8}" y="${TOP + row * HEIGHT + 11}" text-anchor="end" fill="#444">${escape(fault)}</text>`);
  const heads = STAGES.map((stage, column) => `<text x="${LEFT + column * WIDTH + WIDTH / 2}" y="${TOP - 12}" text-anchor="middle" font-weight="bold" fill="#444">${stage}</text>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11">\n<rect width="${width}" height="${height}" fill="#fff"/>\n${[...heads, ...names, ...boxes].join('\n')}\n</svg>\n`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
