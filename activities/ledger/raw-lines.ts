import { createReadStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { type Fault, KEPT_RAW_BYTES, LineSplitter, type RawLimits } from './line-splitter';

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
   * Adds one downloaded object. A gzip that is cut, corrupt or inflates without bounds gives one `unreadable_object` record in
   * place of its lines, which may themselves be cut.
   * @returns the number of records, a quarantined one included
   */
  async add(ordinal: number, path: string, gzipped: boolean, signal: AbortSignal): Promise<number> {
    await this.flush();
    const start = this.position;
    const splitter = new LineSplitter(this.limits, (line, text, fault) => this.append(ordinal, line, text, fault));
    try {
      let sizeBytes = 0;
      for await (const block of contentOf(path, gzipped, signal)) {
        sizeBytes += block.length;
        if (gzipped && sizeBytes > this.limits.maxObjectBytes)
          throw new Unreadable(`inflates beyond ${this.limits.maxObjectBytes} bytes`);
        splitter.push(block);
        await this.flush();
      }
      splitter.end();
      return splitter.records;
    } catch (error) {
      signal.throwIfAborted();
      const detail = unreadableDetail(error);
      if (detail === undefined) throw error;
      await this.rewind(start);
      this.append(ordinal, 0, Buffer.alloc(0), { reason: 'unreadable_object', detail });
      return 1;
    }
  }

  async close(): Promise<void> {
    try {
      await this.flush();
    } finally {
      await this.file.close();
    }
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

class Unreadable extends Error {}

/** zlib's own faults and ours; anything else is the machine's, and worth a retry. */
function unreadableDetail(error: unknown): string | undefined {
  if (error instanceof Unreadable) return error.message;
  const { code, message } = error as NodeJS.ErrnoException;
  return code !== undefined && /^Z_(DATA|BUF|STREAM|NEED_DICT)/.test(code) ? `${message} (${code})` : undefined;
}
