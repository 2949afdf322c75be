import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { QuarantineReason } from '../../domain/documents';

export interface RawLimits {
  /** A longer line is quarantined unread: no device's record is this long. */
  readonly maxLineBytes: number;
  /** A gzip that inflates beyond this is taken for a bomb. */
  readonly maxObjectBytes: number;
}
export const RAW_LIMITS: RawLimits = { maxLineBytes: 1024 ** 2, maxObjectBytes: 4 * 1024 ** 3 };
/** How much of a quarantined line is kept. */
export const KEPT_RAW_BYTES = 2_048;

/** Between the fields of the line file. Never legal in JSON, so a line that holds one is bad before anybody parses it. */
export const FIELD_SEPARATOR = 0x1f;
const [LF, CR, NUL, OPENING_BRACE] = [0x0a, 0x0d, 0x00, 0x7b];
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

interface Fault {
  readonly reason: QuarantineReason;
  readonly detail: string;
}
type OnLine = (line: number, text: Buffer, fault: Fault | undefined) => void;

class Unreadable extends Error {}

/** Cuts blocks at line feeds; never holds more of a line than the limit. */
class LineSplitter {
  records = 0;
  private line = 0;
  private rest: Buffer = Buffer.alloc(0);
  /** Bytes of the present line that were let go because it is too long already. */
  private dropped = 0;
  private atStart = true;

  constructor(
    private readonly limits: RawLimits,
    private readonly onLine: OnLine,
  ) {}

  push(block: Buffer): void {
    let text = this.rest.length === 0 ? block : Buffer.concat([this.rest, block]);
    if (this.atStart) {
      if (text.length < BYTE_ORDER_MARK.length) {
        this.rest = text;
        return;
      }
      text = withoutByteOrderMark(text);
      this.atStart = false;
    }
    const end = text.lastIndexOf(LF) + 1;
    if (end > 0) this.lines(text.subarray(0, end));
    this.keep(text.subarray(end));
  }

  end(): void {
    const rest = this.atStart ? withoutByteOrderMark(this.rest) : this.rest;
    this.rest = Buffer.alloc(0);
    if (rest.length > 0 || this.dropped > 0) this.lines(Buffer.concat([rest, Buffer.from([LF])]));
  }

  private keep(rest: Buffer): void {
    if (rest.length <= this.limits.maxLineBytes) {
      // A copy: the block that it points into is the stream's.
      this.rest = Buffer.from(rest);
      return;
    }
    this.dropped += rest.length - KEPT_RAW_BYTES;
    this.rest = Buffer.from(rest.subarray(0, KEPT_RAW_BYTES));
  }

  private lines(text: Buffer): void {
    const suspicious = text.includes(FIELD_SEPARATOR) || text.includes(NUL) || text.includes(CR) || !isUtf8(text);
    for (let from = 0; from < text.length;) {
      const to = text.indexOf(LF, from);
      this.take(text.subarray(from, to), suspicious);
      from = to + 1;
    }
  }

  private take(whole: Buffer, suspicious: boolean): void {
    this.line += 1;
    const dropped = this.dropped;
    this.dropped = 0;
    const text = whole.at(-1) === CR ? whole.subarray(0, -1) : whole;
    if (dropped === 0 && text[0] !== OPENING_BRACE && isBlank(text)) return;
    this.records += 1;
    const sizeBytes = text.length + dropped;
    if (sizeBytes > this.limits.maxLineBytes) {
      this.onLine(this.line, text, {
        reason: 'bad_line',
        detail: `a line of ${sizeBytes} bytes, at most ${this.limits.maxLineBytes} are read`,
      });
    } else if (suspicious) {
      this.takeSuspicious(text);
    } else {
      this.onLine(this.line, text, undefined);
    }
  }

  private takeSuspicious(text: Buffer): void {
    if (!isUtf8(text)) return this.onLine(this.line, text, { reason: 'bad_line', detail: 'not UTF-8' });
    if (text.includes(FIELD_SEPARATOR) || text.includes(NUL)) {
      return this.onLine(this.line, text, { reason: 'bad_line', detail: 'a control character' });
    }
    if (!text.includes(CR)) return this.onLine(this.line, text, undefined);
    // Legal as white space between tokens only, and there a space says the same. The line file's reader would cut at it.
    if (!isJson(text)) return this.onLine(this.line, text, { reason: 'bad_line', detail: 'a carriage return inside' });
    const spaced = Buffer.from(text);
    for (let at = spaced.indexOf(CR); at >= 0; at = spaced.indexOf(CR, at + 1)) spaced[at] = 0x20;
    this.onLine(this.line, spaced, undefined);
  }
}

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
function withoutByteOrderMark(text: Buffer): Buffer {
  return text.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK)
    ? text.subarray(BYTE_ORDER_MARK.length)
    : text;
}

function isBlank(text: Buffer): boolean {
  return text.every((byte) => byte === 0x20 || byte === 0x09 || byte === CR);
}

function isJson(text: Buffer): boolean {
  try {
    JSON.parse(text.toString());
    return true;
  } catch {
    return false;
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

/** zlib's own faults and ours; anything else is the machine's, and worth a retry. */
function unreadableDetail(error: unknown): string | undefined {
  if (error instanceof Unreadable) return error.message;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^Z_(DATA|BUF|STREAM|NEED_DICT)/.test(code)
    ? `${(error as Error).message} (${code})`
    : undefined;
}
