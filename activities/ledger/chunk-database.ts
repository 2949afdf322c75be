import { DuckDBBlobValue, DuckDBInstance, type DuckDBConnection, type Json } from '@duckdb/node-api';

export interface ChunkDatabaseOptions {
  /** Where it spills beyond its memory; gone with the chunk. */
  readonly spillDir: string;
  readonly memoryMb: number;
  readonly signal: AbortSignal;
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

  static async open({ spillDir, memoryMb, signal }: ChunkDatabaseOptions): Promise<ChunkDatabase> {
    const instance = await DuckDBInstance.create(':memory:', {
      threads: String(THREADS),
      memory_limit: `${memoryMb}MiB`,
      temp_directory: spillDir,
      preserve_insertion_order: 'false', // lets COPY stream; order that matters is asked for
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
