import { DuckDBDataChunk, DuckDBInstance, type DuckDBConnection, type DuckDBValue, type Json, UHUGEINT } from '@duckdb/node-api';
import duckdb from '@duckdb/node-bindings';

export interface ChunkDatabaseOptions {
  /** Where it spills beyond its memory; gone with the chunk. */
  readonly spillDir: string;
  readonly memoryMb: number;
  readonly signal: AbortSignal;
  /** Rows keep the order of the file that they are read from. */
  readonly inOrder?: boolean;
}

const THREADS = 2; // two cores beside the event loop's own work; more chunks at once take more workers

const NUMBER_BYTES = 16;
export const WORDS_A_NUMBER = NUMBER_BYTES / Uint32Array.BYTES_PER_ELEMENT;

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
      memory_limit: `${Math.floor(memoryMb)}MiB`,
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

  /** From now on; what is beyond it spills. */
  async limitMemory(memoryMb: number): Promise<void> {
    await this.run(`set memory_limit = '${Math.floor(memoryMb)}MiB'`);
  }

  /** Not after an internal failure of DuckDB: then all that it held is gone. */
  async isUsable(): Promise<boolean> {
    return this.connection.run('select 1').then(() => true, () => false);
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

  /**
   * The 128-bit numbers of a query's only column, in blocks of four words each, least significant first: a million of them as
   * JavaScript values would cost more than sorting them. A block is DuckDB's own memory, and gone once the next one is asked for. On a
   * connection of its own, so that other statements can run meanwhile.
   */
  async *numbers(sql: string): AsyncGenerator<Uint32Array> {
    const connection = await this.instance.connect();
    const interrupt = () => connection.interrupt();
    this.signal.addEventListener('abort', interrupt);
    try {
      const result = await this.interruptible(() => connection.stream(sql));
      for (;;) {
        const block = await this.interruptible(() => result.fetchChunk());
        if (block === null || block.rowCount === 0) return;
        const bytes = duckdb.vector_get_data(duckdb.data_chunk_get_vector(block.chunk, 0), block.rowCount * NUMBER_BYTES);
        yield new Uint32Array(bytes.buffer, bytes.byteOffset, block.rowCount * WORDS_A_NUMBER);
      }
    } finally {
      this.signal.removeEventListener('abort', interrupt);
      connection.closeSync();
    }
  }

  /** Appends 128-bit numbers, their words as `numbers` gives them, to a table of one column. */
  async appendNumbers(table: string, blocksOf: (count: number) => Iterable<Uint32Array>): Promise<void> {
    const appender = await this.connection.createAppender(table);
    try {
      const chunk = DuckDBDataChunk.create([UHUGEINT]);
      for (const block of blocksOf(duckdb.vector_size())) {
        this.signal.throwIfAborted();
        chunk.reset();
        chunk.rowCount = block.length / WORDS_A_NUMBER;
        duckdb.copy_data_to_vector(duckdb.data_chunk_get_vector(chunk.chunk, 0), 0, block.buffer as ArrayBuffer, block.byteOffset, block.byteLength);
        appender.appendDataChunk(chunk);
      }
    } finally {
      appender.closeSync();
    }
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
