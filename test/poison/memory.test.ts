import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { gzipSync } from 'node:zlib';
import type { RecordCounts } from '../../domain/documents';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { type Deps, type LedgerStack, startLedgerStack } from '../dedup/support/ledger-stack';
import { putRaw, rawKey } from '../dedup/support/nights';
import { parquetOf } from '../dedup/support/parquet';
import { fill, HOUR, HOUR_MS, POISON_SPEC, sound } from './corpus/entry';
import type { Task } from './memory-child';

const MIB = 1024 ** 2;
/** Beyond what DuckDB is given (design, "Numbers to hold"). */
const WORKER_MIB = 512;
/** Seconds on a quiet machine, yet a gigabyte is a gigabyte. */
jest.setTimeout(180_000);

let stack: LedgerStack;
let deps: Deps;
beforeAll(async () => {
  stack = await startLedgerStack();
});
afterAll(() => stack.stop());
beforeEach(async () => {
  deps = await stack.fresh();
});

test('a line of a gibibyte, a bomb of two, and half a million bad lines stay within the memory that is declared (S1.14, X6)', async () => {
  const lineOfAGibibyte = members(Buffer.alloc(64 * MIB, 'x'), 16);
  await putRaw(deps, rawKey(HOUR, 'a.gz'), Buffer.concat([lineOfAGibibyte, gzipSync(`\n${sound()}\n`)]));
  await putRaw(deps, rawKey(HOUR, 'b.gz'), members(Buffer.alloc(64 * MIB), 32));
  await putRaw(deps, rawKey(HOUR, 'c.gz'), members(Buffer.from('{}\n'.repeat(50_000)), 10));
  await putRaw(deps, rawKey(HOUR, 'd.gz'), gzipSync(sound()));

  const { counts, peakMib } = await nightInAChild(POISON_SPEC, { maxLineBytes: MIB, maxObjectBytes: 1_100 * MIB });

  expect(counts).toEqual({ read: 500_004, stored: 2, duplicates: 0, quarantined: { bad_line: 1, unreadable_object: 1, bad_timestamp: 500_000 } });
  expect(peakMib).toBeLessThan(WORKER_MIB + deps.duckdbMemoryMb);
});

test('Parquet of rows without end, and of rows too wide for memory, stays within the memory that is declared (S1.14, X6)', async () => {
  const spec: PipelineSpec = { ...POISON_SPEC, raw: { ...POISON_SPEC.raw, format: 'parquet' } };
  const place = 'longitude, 2::double as latitude';
  await putRaw(deps, rawKey(HOUR, 'a'), await parquetOf(`select ${HOUR_MS}::bigint as timestamp, 1::double as ${place} from range(5000000)`));
  const wide = `select ${HOUR_MS} + i as timestamp, 2::double as ${place}, repeat('x', 1000000) as icao24 from range(4000) t(i)`;
  await putRaw(deps, rawKey(HOUR, 'b'), await parquetOf(wide));
  await putRaw(deps, rawKey(HOUR, 'c'), await parquetOf(fill('select $t as timestamp, $x::double as longitude, $y::double as latitude')));

  const { counts, peakMib } = await nightInAChild(spec, { maxLineBytes: MIB, maxObjectBytes: 128 * MIB });

  expect(counts).toEqual({ read: 3, stored: 1, duplicates: 0, quarantined: { unreadable_object: 2 } });
  expect(peakMib).toBeLessThan(WORKER_MIB + deps.duckdbMemoryMb);
});

interface Night {
  readonly counts: RecordCounts;
  readonly peakMib: number;
}

/** A gzip that inflates to `count` times the text, made of as many equal members: it is small, and made in no time. */
function members(text: Buffer, count: number): Buffer {
  const member = gzipSync(text, { level: 1 });
  return Buffer.concat(Array.from({ length: count }, () => member));
}

async function nightInAChild(spec: PipelineSpec, limits: Task['limits']): Promise<Night> {
  // Clients are no data: the child makes its own.
  const task: Task = { clientConfig: stack.clientConfig, deps: { ...deps, s3: undefined, dynamodb: undefined }, spec, limits };
  const child = spawn(process.execPath, ['--import', 'tsx', join(__dirname, 'memory-child.ts'), JSON.stringify(task)], {
    cwd: join(__dirname, '..', '..'),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  try {
    const { value: first } = await Promise.race([
      createInterface(child.stdout)[Symbol.asyncIterator]().next(),
      new Promise<never>((_resolve, reject) => child.once('error', reject)),
    ]);
    if (typeof first !== 'string') throw new Error(`The night's process ended without counts, exit code ${child.exitCode}, signal ${child.signalCode}`);
    const peakKib = Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]);
    return { counts: JSON.parse(first) as RecordCounts, peakMib: peakKib / 1024 };
  } finally {
    child.kill('SIGKILL');
  }
}
