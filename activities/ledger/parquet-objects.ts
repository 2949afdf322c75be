import { join } from 'node:path';
import type { RawObject } from '../../domain/documents';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { eventWindowMs } from '../batches/arrival-hours';
import type { ChunkDatabase } from './chunk-database';
import type { RawLimits } from './line-splitter';
import { type ParquetOptions, parquetRows, type SoundRows } from './parquet-rows';
import { addQuickly, type QuickCounts, type QuickObject, quickRows } from './quick-rows';
import type { RawLineFile } from './raw-lines';
import { addSoundRows } from './record-sql';

export const SOUND_TABLE = 'sound_record';
/** Of the memory, while an object has a database of its own, which cannot spill what it decodes; the chunk's can spill its table. */
const CHUNK_SHARE = 1 / 4;
/** Of the memory, while rows are read quickly: an object that needs more to be read would be refused this much by the careful way too. */
const QUICK_SHARE = 1 / 2;
/** Read by one statement: two row groups of DuckDB's writer, so that both threads have one. */
const ROWS_AT_ONCE = 245_760;
const OBJECTS_AT_ONCE = 64;
const BYTES_AT_ONCE = 64 * 1024 ** 2;

/** An object of the chunk on the local disk. */
export interface LocalObject {
  readonly object: RawObject;
  /** Its number in the chunk. */
  readonly index: number;
  readonly path: string;
}

export interface ParquetDependencies {
  readonly db: ChunkDatabase;
  readonly lines: RawLineFile;
  readonly spec: PipelineSpec;
  /** Scratch space of the chunk. */
  readonly dir: string;
  readonly limits: RawLimits;
  readonly memoryMb: number;
  readonly signal: AbortSignal;
  /** Every object in a database of its own, and read whole there before the chunk's database sees it. */
  readonly isCareful: boolean;
  /** Told of each object once its file is no longer needed: its records, as counted before any parsing. */
  readonly onAdded: (object: LocalObject, records: number) => Promise<void>;
}

/** An object made DuckDB fail internally, and with it went what the chunk's database held. */
export class BrokenChunkDatabase extends Error {
  override readonly name = 'BrokenChunkDatabase';
}

/**
 * Adds Parquet objects to a chunk: rows that need no judge to the table of sound rows, the others to the lines. Most objects are sound
 * all through, and read once, several at a time, straight into the table. What DuckDB says against one of them counts for nothing but
 * that they go the careful way, each by itself (docs/decisions/0035).
 */
export class ParquetObjects {
  private waiting: (LocalObject & QuickObject)[] = [];

  constructor(private readonly deps: ParquetDependencies) {}

  /** Objects are added in their order, and may wait for the next ones. @throws BrokenChunkDatabase, unless careful */
  async add(local: LocalObject): Promise<void> {
    const { db, limits, isCareful } = this.deps;
    const quick = isCareful ? undefined : await this.unlessRefused(() => quickRows(db, local.path, this.splitOf(local), limits));
    const last = this.waiting[this.waiting.length - 1];
    if (last !== undefined && (quick?.shape !== last.quick.shape || local.index !== last.index + 1)) await this.flush();
    if (quick === undefined) return this.addCarefully(local);
    this.waiting.push({ ...local, quick });
    const [rows, bytes] = [sum(this.waiting, (each) => each.quick.rowCount), sum(this.waiting, (each) => each.object.sizeBytes)];
    if (rows >= ROWS_AT_ONCE || bytes >= BYTES_AT_ONCE || this.waiting.length === OBJECTS_AT_ONCE) await this.flush();
  }

  /** Adds those that wait. @throws as `add` */
  async flush(): Promise<void> {
    const { db, spec, memoryMb } = this.deps;
    const objects = this.waiting;
    this.waiting = [];
    if (objects.length === 0) return;
    const found = await this.unlessRefused(async () => {
      await db.limitMemory(memoryMb * QUICK_SHARE);
      return addQuickly(db, spec, SOUND_TABLE, objects);
    });
    await db.limitMemory(memoryMb);
    for (const each of objects) await (found === undefined ? this.addCarefully(each) : this.finish(each, found.get(each.index)));
  }

  /** What is left to do of an object whose rows are in the table. */
  private async finish(local: LocalObject & QuickObject, { rowCount, soundCount }: QuickCounts = { rowCount: 0, soundCount: 0 }): Promise<void> {
    const { quick, index } = local;
    if (rowCount !== quick.rowCount) {
      await this.remove(index, 'true');
      return this.addCarefully(local);
    }
    if (soundCount === rowCount) return this.deps.onAdded(local, rowCount);
    await this.remove(index, '_day is null');
    let isWhole = true;
    const judged = await this.judge(local, { taken: quick.condition, onSound: () => (isWhole = false) });
    if (!isWhole) await this.remove(index, 'true');
    await this.deps.onAdded(local, isWhole ? soundCount + judged : judged);
  }

  /** Nothing in the object can surprise the chunk's database, which reads only what another one has read whole. */
  private async addCarefully(local: LocalObject): Promise<void> {
    const { db, spec } = this.deps;
    let sound: SoundRows | undefined;
    const judged = await this.judge(local, { split: this.splitOf(local), onSound: (rows) => (sound = rows) });
    const [count, query] = [sound?.count ?? 0, sound?.query];
    if (query !== undefined) await db.run(addSoundRows(spec, SOUND_TABLE, `select ${local.index}::integer as _object, * from (${query})`));
    await this.deps.onAdded(local, count + judged);
  }

  /** Adds rows to the lines, by a database of the object's own. @returns how many */
  private async judge({ index, path }: LocalObject, how: Pick<ParquetOptions, 'split' | 'taken' | 'onSound'>): Promise<number> {
    const { db, lines, spec, dir, limits, memoryMb, signal } = this.deps;
    await db.limitMemory(memoryMb * CHUNK_SHARE);
    const options = { ...how, memoryMb: memoryMb * (1 - CHUNK_SHARE), limits, spillDir: join(dir, 'spill-object'), signal };
    const judged = await lines.addRows(index, parquetRows(path, spec.record.fields, options), signal);
    await db.limitMemory(memoryMb);
    return judged;
  }

  private async remove(index: number, condition: string): Promise<void> {
    await this.deps.db.run(`delete from ${SOUND_TABLE} where _object = ${index} and ${condition}`);
  }

  private splitOf({ object }: LocalObject) {
    const { spec } = this.deps;
    return { spec, window: eventWindowMs(spec, object.arrivalHour) };
  }

  /** Undefined where DuckDB refuses. An internal failure invalidates the database that it happens in. */
  private async unlessRefused<T>(read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      this.deps.signal.throwIfAborted();
      if (!(await this.deps.db.isUsable())) throw new BrokenChunkDatabase('A Parquet object made DuckDB fail internally', { cause: error });
      return undefined;
    }
  }
}

function sum<T>(items: readonly T[], valueOf: (item: T) => number): number {
  return items.reduce((total, item) => total + valueOf(item), 0);
}
