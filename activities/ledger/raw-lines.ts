import { createReadStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { type Fault, KEPT_RAW_BYTES, LineSplitter, NOT_UTF8, type OnLine, type RawLimits, tooLong } from './line-splitter';
import type { ParquetRow } from './parquet-rows';
import { UnreadableObject, unreadableDetail } from './unreadable-object';

const LF = 0x0a;
const BLOCK_BYTES = 256 * 1024;

/**
 * Collects the lines of a chunk's objects in one file that DuckDB can read whatever the objects hold: `object␟line␟reason␟
 * detail␟text`, UTF-8. Reason and detail are filled where a line never reaches the parser: longer than the limit, not UTF-8,
 * control characters that JSON does not allow. Lines are numbered as they stand in the object, from 1; lines of white space
 * only are no records. A byte order mark and carriage returns before line feeds are not part of the text.
 */
export class RawLineFile {
  /** Holds the longest line with its head. */
  private readonly buffer: Buffer;
  private buffered = 0;
  /** Full buffers of the block at hand. */
  private full: Buffer[] = [];
  /** Where the next flush begins in the file. */
  private position = 0;

  private constructor(
    private readonly file: FileHandle,
    private readonly limits: RawLimits,
  ) {
    this.buffer = Buffer.allocUnsafe(limits.maxLineBytes + BLOCK_BYTES);
  }

  static async create(path: string, limits: RawLimits): Promise<RawLineFile> {
    return new RawLineFile(await open(path, 'w'), limits);
  }

  /**
   * Adds one downloaded object of JSON lines. A gzip that is cut, corrupt or inflates without bounds gives one `unreadable_object`
   * record in place of its lines, which may themselves be cut.
   * @returns the number of records, a quarantined one included
   */
  async addLines(ordinal: number, path: string, gzipped: boolean, signal: AbortSignal): Promise<number> {
    return this.addWhole(ordinal, signal, async (onLine) => {
      const splitter = new LineSplitter(this.limits, onLine);
      let sizeBytes = 0;
      for await (const block of contentOf(path, gzipped, signal)) {
        sizeBytes += block.length;
        if (gzipped) this.refuseBomb(sizeBytes);
        splitter.push(block);
        await this.flush();
      }
      splitter.end();
      return splitter.records;
    });
  }

  /**
   * Adds rows of one object as the JSON lines that they stand for: from here on they are judged as lines are.
   * @returns as `addLines`; an `UnreadableObject` on the way gives the one record in place of all its rows
   */
  async addRows(ordinal: number, rows: AsyncIterable<Iterable<ParquetRow>>, signal: AbortSignal): Promise<number> {
    return this.addWhole(ordinal, signal, async (onLine) => {
      let [records, inflatedBytes] = [0, 0];
      for await (const block of rows) {
        for (const { line, text, sizeBytes, isUtf8 } of block) {
          inflatedBytes += sizeBytes;
          records += 1;
          onLine(line, Buffer.from(text), isUtf8 ? tooLong(sizeBytes, this.limits) : NOT_UTF8);
          if (this.full.length > 0) await this.flush();
        }
        this.refuseBomb(inflatedBytes);
        await this.flush();
      }
      return records;
    });
  }

  async close(): Promise<void> {
    try {
      await this.flush();
    } finally {
      await this.file.close();
    }
  }

  private async addWhole(ordinal: number, signal: AbortSignal, read: (onLine: OnLine) => Promise<number>): Promise<number> {
    await this.flush();
    const start = this.position;
    try {
      return await read((line, text, fault) => this.append(ordinal, line, text, fault));
    } catch (error) {
      signal.throwIfAborted();
      const detail = unreadableDetail(error);
      if (detail === undefined) throw error;
      await this.rewind(start);
      this.append(ordinal, 0, Buffer.alloc(0), { reason: 'unreadable_object', detail });
      return 1;
    }
  }

  private refuseBomb(sizeBytes: number): void {
    if (sizeBytes > this.limits.maxObjectBytes) throw new UnreadableObject(`inflates beyond ${this.limits.maxObjectBytes} bytes`);
  }

  private append(ordinal: number, line: number, text: Buffer, fault: Fault | undefined): void {
    const head = `${ordinal}\x1f${line}\x1f${fault?.reason ?? ''}\x1f${fault?.detail ?? ''}\x1f`;
    const body = fault === undefined ? text : keptOf(text);
    if (this.buffered + head.length + body.length + 1 > this.buffer.length) {
      this.full.push(Buffer.from(this.buffer.subarray(0, this.buffered)));
      this.buffered = 0;
    }
    this.buffered += this.buffer.write(head, this.buffered, 'latin1');
    this.buffered += body.copy(this.buffer, this.buffered);
    this.buffer[this.buffered++] = LF;
  }

  private async flush(): Promise<void> {
    const blocks = [...this.full, this.buffer.subarray(0, this.buffered)];
    this.full = [];
    this.buffered = 0;
    for (const block of blocks) {
      if (block.length > 0) await this.file.write(block, 0, block.length, this.position);
      this.position += block.length;
    }
  }

  private async rewind(start: number): Promise<void> {
    this.full = [];
    this.buffered = 0;
    await this.file.truncate(start);
    this.position = start;
  }
}

/** The object's text as blocks; an empty file is an empty text whatever its name says. */
async function* contentOf(path: string, gzipped: boolean, signal: AbortSignal): AsyncGenerator<Buffer> {
  const source = createReadStream(path, { highWaterMark: BLOCK_BYTES, signal });
  if (!gzipped) {
    yield* source as AsyncIterable<Buffer>;
    return;
  }
  const inflated = createGunzip({ chunkSize: BLOCK_BYTES });
  // Its errors reach the loop below through `inflated`; the callback only keeps them from being unhandled.
  pipeline(source, inflated, () => undefined);
  yield* inflated as AsyncIterable<Buffer>;
  await expectPadding(path, inflated.bytesWritten, signal);
}

/** zlib takes a zero behind a member for padding and looks no further: records behind it would be lost in silence. */
async function expectPadding(path: string, from: number, signal: AbortSignal): Promise<void> {
  for await (const block of createReadStream(path, { start: from, highWaterMark: BLOCK_BYTES, signal }) as AsyncIterable<Buffer>) {
    if (block.some((byte) => byte !== 0)) throw new UnreadableObject(`bytes other than zero behind the gzip, which ends at byte ${from}`);
  }
}

/** The beginning of a faulty line as text that the line file can carry. */
function keptOf(text: Buffer): Buffer {
  return Buffer.from(
    text
      .subarray(0, KEPT_RAW_BYTES)
      .toString('utf8')
      .replace(/[\u0000-\u0008\u000a-\u001f]/g, '\ufffd'),
  );
}
