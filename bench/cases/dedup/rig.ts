import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DeleteObjectsCommand } from '@aws-sdk/client-s3';
import type { RecordCounts } from '../../../domain/documents';
import type { PipelineSpec } from '../../../domain/pipeline-spec';
import type { LedgerStack } from '../../../test/dedup/support/ledger-stack';
import { nightEnding, putRaw, rawKey, SPEC } from '../../../test/dedup/support/nights';
import { type Child, startChild } from '../../engines/child';
import { measured, type Usage } from '../../measure';
import type { OurAnswer, OurOrder, OurTask } from './ours';
import type { PlainAnswer, PlainOrder, PlainTask } from './plain';
import { type BatchShape, objectOf, type RecordRange } from './records';

/** As a worker is started with. */
export const DUCKDB_MEMORY_MB = 1_024;
const DAY_MS = 86_400_000;

/** A batch that has been uploaded, and lies on the local disk for the peer. */
export interface Night {
  /** RFC 3339 date of the interval's end. */
  readonly end: string;
  readonly records: number;
  readonly files: readonly string[];
  /** Where its objects stand in the raw bucket. */
  readonly raw: readonly { readonly Key: string; readonly VersionId: string }[];
  readonly out: string;
}

/** One dataset over several nights, by the product and by plain DuckDB; each in its process. */
export class DedupRig {
  private readonly nights: Night[] = [];

  private constructor(
    private readonly scratch: string,
    private readonly ours: Child,
    private readonly plain: Child,
    private readonly spec: PipelineSpec,
    private readonly shape: Omit<BatchShape, 'lastDay'>,
    readonly deps: LedgerStack['deps'],
    private readonly awsPid: number,
  ) {}

  /** @param root - the checkout whose activities are measured */
  static async start(stack: LedgerStack, scratch: string, shape: Omit<BatchShape, 'lastDay'>, root: string): Promise<DedupRig> {
    mkdirSync(scratch, { recursive: true });
    const deps = { ...(await stack.fresh()), duckdbMemoryMb: DUCKDB_MEMORY_MB };
    const ours: OurTask = { clientConfig: stack.clientConfig, deps: { ...deps, s3: undefined, dynamodb: undefined } };
    const plain: PlainTask = { memoryMb: DUCKDB_MEMORY_MB, spillDir: join(scratch, 'spill') };
    const dedup = { ...SPEC.dedup, chunkBytes: CHUNK_BYTES[shape.format], latenessDays: SPEC.dedup.latenessDays + shape.days };
    const spec: PipelineSpec = { ...SPEC, raw: { ...SPEC.raw, format: shape.format }, dedup };
    return new DedupRig(scratch, startChild(join(root, 'bench/cases/dedup/ours.ts'), ours), startChild(join(__dirname, 'plain.ts'), plain), spec, shape, deps, stack.awsPid());
  }

  /** Uploads a night of objects, as many as `objects`, each of its ranges. */
  async upload(objects: readonly (readonly RecordRange[])[]): Promise<Night> {
    const index = this.nights.length;
    const dayMs = WARM_UP_DAY_MS + index * DAY_MS;
    const day = dateOf(dayMs);
    const records = objects.flat().reduce((sum, { from, to }) => sum + to - from, 0);
    const files: string[] = [];
    const raw: { readonly Key: string; readonly VersionId: string }[] = [];
    for (const [number, ranges] of objects.entries()) {
      // A repeat is the same on any night: all event dates lie before the first measured night's end, and the lateness reaches back to them.
      const body = await objectOf(ranges, { ...this.shape, lastDay: dateOf(Math.min(dayMs, WARM_UP_DAY_MS + DAY_MS)) }, this.scratch);
      const name = `part-${String(number).padStart(5, '0')}${this.shape.format === 'parquet' ? '.parquet' : '.json.gz'}`;
      const path = join(this.scratch, `night-${index}-${name}`);
      writeFileSync(path, body);
      files.push(path);
      const Key = rawKey(`${day}T23`, name, this.spec);
      raw.push({ Key, VersionId: await putRaw(this.deps, Key, body) });
    }
    const night = { end: dateOf(dayMs + DAY_MS), records, files, raw, out: join(this.scratch, `plain-${index}`) };
    this.nights.push(night);
    return night;
  }

  /** `servers` is what the local S3 and DynamoDB took of the same cores meanwhile; it is not in `usage`. */
  async byUs(night: Night): Promise<{ readonly answer: OurAnswer; readonly usage: Usage; readonly servers: Usage }> {
    const cycle = nightEnding(night.end, 1, this.spec);
    await this.order<OurOrder, object>(this.ours, { step: 'discover', cycle, spec: this.spec });
    const { result: { result, usage }, usage: servers } = await measured([this.awsPid], () =>
      measured([this.ours.pid], () => this.order<OurOrder, OurAnswer>(this.ours, { step: 'dedup', cycle, spec: this.spec })),
    );
    await this.order<OurOrder, object>(this.ours, { step: 'mark', cycle, spec: this.spec });
    return { answer: result, usage, servers };
  }

  /** May be asked again for the same night: it only reads. */
  async byPlainDuckDb(night: Night): Promise<{ readonly answer: PlainAnswer; readonly usage: Usage }> {
    const earlier = this.nights.slice(0, this.nights.indexOf(night)).map(({ out }) => out);
    const { result, usage } = await measured([this.plain.pid], () =>
      this.order<PlainOrder, PlainAnswer>(this.plain, { files: night.files, format: this.shape.format, earlier, out: night.out }),
    );
    return { answer: result, usage };
  }

  /** Deletes a night's input once all is measured: three nights of fifty million records are 6 GB, each twice. */
  async discard({ files, raw }: Night): Promise<void> {
    for (const file of files) rmSync(file);
    await this.deps.s3.send(new DeleteObjectsCommand({ Bucket: this.deps.buckets.raw, Delete: { Objects: [...raw], Quiet: true } }));
  }

  async stop(): Promise<void> {
    await Promise.all([this.ours.stop(), this.plain.stop()]);
  }

  private async order<O extends object, A>(child: Child, order: O): Promise<A> {
    child.send(order);
    return child.next<A>();
  }
}

/** A million Parquet rows or 300,000 gzipped lines a chunk. */
const CHUNK_BYTES = { parquet: 32 * 1024 ** 2, 'json-lines': 12 * 1024 ** 2 } as const;
/** Of the night before those that are measured. */
const WARM_UP_DAY_MS = Date.parse('2018-07-31T00:00:00Z');

function dateOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** What plain DuckDB and the product must agree on before their times mean anything. @throws Error that says on what they differ */
export function expectSame(counts: RecordCounts, plain: PlainAnswer, night: Night): void {
  if (counts.read === night.records && counts.stored === plain.stored && counts.stored + counts.duplicates === counts.read) return;
  throw new Error(`Of ${night.records} records the product read ${counts.read}, stored ${counts.stored} and found ${counts.duplicates} repeated; plain DuckDB stored ${plain.stored}`);
}
