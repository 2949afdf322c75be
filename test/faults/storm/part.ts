import type { Output } from '../../../cli/output';
import { type ReaderPool, startReaders } from '../readers/reader-pool';
import type { ReaderOptions, ReadersReport } from '../readers/report';
import { promoteStormNight, quiet, type StormInput, type StormNight } from './nights';

/** A stretch of the storm with one kind of readers: promotions and quiet by turns, as long the one as the other. */
export interface StormPart {
  readonly name: 'long' | 'short';
  readonly nights: readonly StormNight[];
  readonly promotingSeconds: number;
  readonly quietSeconds: number;
  /** Its phases are `promoting` and `quiet`. */
  readonly report: ReadersReport;
}

export interface StormPartInput {
  readonly name: StormPart['name'];
  readonly storm: StormInput;
  readonly connection: Parameters<typeof startReaders>[0]['connection'];
  readonly readers: Required<ReaderOptions>;
  /** Index of its first night. */
  readonly from: number;
  readonly promotions: number;
  /** Promotions between two quiet times. */
  readonly blockSize: number;
  /** Promotions end early enough for as long a quiet time before it, epoch milliseconds. */
  readonly deadlineMs: number;
  readonly stop: AbortSignal;
  readonly output: Output;
}

/** Runs a part of the storm until its promotions are done, its time is over or it is stopped. */
export async function runPart(input: StormPartInput): Promise<StormPart> {
  const { name, storm, connection, readers } = input;
  const pool = await startReaders({ connection, pipeline: storm.spec.name, readers });
  const nights: StormNight[] = [];
  const spent = { promoting: 0, quiet: 0 };
  try {
    while (nights.length < input.promotions && Date.now() < input.deadlineMs && !input.stop.aborted) {
      await pool.phase('promoting');
      const promotingMs = await block(input, pool, nights);
      spent.promoting += promotingMs;
      await pool.phase('quiet');
      await quiet(promotingMs, input.stop);
      spent.quiet += promotingMs;
    }
    const report = await pool.report();
    return { name, nights, promotingSeconds: spent.promoting / 1_000, quietSeconds: spent.quiet / 1_000, report };
  } finally {
    pool.abandon();
  }
}

/** @returns how long it took, milliseconds */
async function block({ name, storm, from, promotions, blockSize, readers, deadlineMs, stop, output }: StormPartInput, pool: ReaderPool, nights: StormNight[]) {
  const beganMs = performance.now();
  const end = Math.min(promotions, nights.length + blockSize);
  // The quiet time after it takes as long again.
  while (nights.length < end && Date.now() + (performance.now() - beganMs) < deadlineMs && !stop.aborted) {
    nights.push(await promoteStormNight(storm, from + nights.length));
    const { reads, violations } = await pool.progress();
    output.advance(`promotions, ${name} readers`, nights.length, promotions, `, ${reads} reads, ${violations} of them faulty`);
  }
  // Reads that met the last promotion end in this phase.
  await quiet(500 + (readers.long > 0 ? readers.longMs : 0), stop);
  return performance.now() - beganMs;
}
