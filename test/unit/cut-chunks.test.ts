import fc from 'fast-check';
import { ChunkCutter, type CutObjects } from '../../activities/batches/cut-chunks';
import type { RawObject } from '../../domain/documents';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { mobileGeolocation } from '../../pipelines/mobile-geolocation';

const DAY_MS = 86_400_000;
const spec: PipelineSpec = { ...mobileGeolocation, dedup: { ...mobileGeolocation.dedup, chunkBytes: 100 } };

/** Sizes around the chunk size, and gaps of days that now and then are too many for one transaction. */
const objects = fc.array(fc.record({ sizeBytes: fc.nat(150), daysLater: fc.constantFrom(0, 0, 0, 1, 40, 95) }), { maxLength: 40 }).map((each) => {
  let arrivalMs = Date.parse('2018-08-01T00:00:00Z');
  return each.map(({ sizeBytes, daysLater }, index): RawObject => {
    arrivalMs += daysLater * DAY_MS;
    return { key: `${index}`, versionId: 'v', etag: 'e', sizeBytes, arrivalHour: new Date(arrivalMs).toISOString() };
  });
});

/** Each chunk's objects. */
const chunksOf = ({ objects: all, chunks }: CutObjects) => chunks.map(({ from, to }) => all.slice(from, to));

function whole(all: readonly RawObject[]): readonly (readonly RawObject[])[] {
  const cutter = new ChunkCutter(spec);
  cutter.add(all);
  return chunksOf(cutter.rest());
}

test('what is taken out while more comes, and what is left, are the chunks of all at once (I1, S2.2)', () => {
  fc.assert(
    fc.property(objects, fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 7 }), (all, atLeast, page) => {
      const cutter = new ChunkCutter(spec);
      const taken: (readonly RawObject[])[] = [];
      for (let from = 0; from < all.length; from += page) {
        cutter.add(all.slice(from, from + page));
        const settled = cutter.takeSettled(atLeast);
        if (settled === undefined) continue;
        expect(settled.objects.length).toBeGreaterThanOrEqual(atLeast);
        taken.push(...chunksOf(settled));
      }
      expect([...taken, ...chunksOf(cutter.rest())]).toEqual(whole(all));
    }),
  );
});

test('every object is in one chunk, in order; only the last may be small, and none has more event dates than a transaction', () => {
  fc.assert(
    fc.property(objects, (all) => {
      const chunks = whole(all);
      expect(chunks.flat()).toEqual(all);
      for (const [index, chunk] of chunks.entries()) {
        const days = (Date.parse(chunk.at(-1)?.arrivalHour ?? '') - Date.parse(chunk[0]?.arrivalHour ?? '')) / DAY_MS;
        expect(days).toBeLessThan(90);
        const size = chunk.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
        const next = chunks[index + 1]?.[0];
        const full = next === undefined || (Date.parse(next.arrivalHour) - Date.parse(chunk[0]?.arrivalHour ?? '')) / DAY_MS > 80;
        if (!full) expect(size).toBeGreaterThanOrEqual(spec.dedup.chunkBytes);
      }
    }),
  );
});
