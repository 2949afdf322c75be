import { Readable } from 'node:stream';

/**
 * What several sources give, one source after another in their order, while up to `atOnce` of them are at work and each is up to
 * `ahead` items before its turn. A source's failure comes at its turn, without what was ahead of it, and ends all; sources that are
 * still at work end once they notice.
 */
export async function* inOrder<T>(
  sources: readonly (() => AsyncIterable<T>)[],
  { atOnce, ahead }: { readonly atOnce: number; readonly ahead: number },
): AsyncGenerator<T> {
  const lanes: Readable[] = [];
  let opened = 0;
  const openNext = () => {
    const source = sources[opened++];
    if (source === undefined) return;
    const lane = Readable.from(source(), { highWaterMark: ahead });
    lane.on('error', () => undefined); // told by the iteration below when its turn comes
    lane.read(0); // begins before anybody asks
    lanes.push(lane);
  };
  try {
    for (let lane = 0; lane < atOnce; lane++) openNext();
    for (let lane = lanes[0]; lane !== undefined; lane = lanes[0]) {
      for await (const item of lane) yield item as T;
      lanes.shift();
      openNext();
    }
  } finally {
    for (const lane of lanes) lane.destroy();
  }
}
