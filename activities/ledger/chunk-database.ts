import { DuckDBBlobValue, DuckDBInstance, type DuckDBConnection, type DuckDBDataChunk, type DuckDBValue, type Json } from '@duckdb/node-api';

export interface ChunkDatabaseOptions {
  /** Where it spills beyond its memory; gone with the chunk. */
  readonly spillDir: string;
  readonly memoryMb: number;
  readonly signal: AbortSignal;
  /** Rows keep the order of the file that they are read from. */
  readonly inOrder?: boolean;
}

const THREADS = 2; // two cores beside the event loop's own work; more chunks at once take more workers

/** A private in-memory DuckDB for one chunk: bounded memory, spilling, interrupted on cancellation. */
export class ChunkDatabase {
  private readonly interrupt = () => this.connection.interrupt();

  private constructor(
    private readonly instance: DuckDBInstance,
    readonly connection: DuckDBConnection,
    private readonly signal: AbortSignal,
  ) {
    signal.addEventListener('abort', this.interrupt);
  }

  static async open({ spillDir, memoryMb, signal, inOrder = false }: ChunkDatabaseOptions): Promise<ChunkDatabase> {
    const instance = await DuckDBInstance.create(':memory:', {
      threads: String(THREADS),
      memory_limit: `${memoryMb}MiB`,
      temp_directory: spillDir,
      preserve_insertion_order: String(inOrder), // false lets COPY stream; order that matters is asked for
      autoinstall_known_extensions: 'false', // nothing is fetched at run time
    });
    try {
      const connection = await instance.connect();
      await connection.run("set TimeZone = 'UTC'");
      return new ChunkDatabase(instance, connection, signal);
    } catch (error) {
      instance.closeSync();
      throw error;
    }
  }

  async run(sql: string): Promise<void> {
    await this.interruptible(() => this.connection.run(sql));
  }

  /** Rows as JSON values: 64-bit integers come as strings. For results of a bounded number of rows. */
  async rows(sql: string): Promise<readonly (readonly Json[])[]> {
    return this.interruptible(async () => (await this.connection.runAndReadAll(sql)).getRowsJson());
  }

  /** Rows in blocks, for results of any number of rows. A row's values are made when it is asked for: a block may be large. */
  async *stream<T>(sql: string, toRow: (values: readonly DuckDBValue[]) => T): AsyncGenerator<Iterable<T>> {
    const result = await this.interruptible(() => this.connection.stream(sql));
    for (;;) {
      const block = await this.interruptible(() => result.fetchChunk());
      if (block === null || block.rowCount === 0) return;
      yield rowsOf(block, toRow);
    }
  }

  /** Rows of (number, blob). */
  async blobs(sql: string): Promise<readonly { readonly key: number; readonly bytes: Uint8Array }[]> {
    const rows = await this.interruptible(async () => (await this.connection.runAndReadAll(sql)).getRows());
    return rows.map(([key, blob]) => {
      if (!(blob instanceof DuckDBBlobValue)) throw new TypeError(`Expected a blob, found ${typeof blob} [sql=${sql}]`);
      return { key: Number(key), bytes: blob.bytes };
    });
  }

  close(): void {
    this.signal.removeEventListener('abort', this.interrupt);
    this.connection.closeSync();
    this.instance.closeSync();
  }

  /** DuckDB reports an interrupt as its own error: the cancellation behind it is what counts. */
  private async interruptible<T>(query: () => Promise<T>): Promise<T> {
    this.signal.throwIfAborted();
    try {
      return await query();
    } catch (error) {
      this.signal.throwIfAborted();
      throw error;
    }
  }
}

function* rowsOf<T>(block: DuckDBDataChunk, toRow: (values: readonly DuckDBValue[]) => T): Generator<T> {
  for (let index = 0; index < block.rowCount; index++) yield toRow(block.getRowValues(index));
}
