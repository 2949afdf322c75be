import { isUtf8 } from 'node:buffer';
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
const FIELD_SEPARATOR = 0x1f;
const [LF, CR, NUL, OPENING_BRACE] = [0x0a, 0x0d, 0x00, 0x7b];

/** Why a line never reaches the parser. */
export interface Fault {
  readonly reason: QuarantineReason;
  readonly detail: string;
}
export type OnLine = (line: number, text: Buffer, fault: Fault | undefined) => void;

/** Bytes that are no text in any encoding that is read here. */
export const NOT_UTF8: Fault = { reason: 'bad_line', detail: 'not UTF-8' };

/** The fault of a line of `sizeBytes`, if it is longer than is read. */
export function tooLong(sizeBytes: number, { maxLineBytes }: RawLimits): Fault | undefined {
  if (sizeBytes <= maxLineBytes) return undefined;
  return { reason: 'bad_line', detail: `a line of ${sizeBytes} bytes, at most ${maxLineBytes} are read` };
}

/** Cuts blocks at line feeds; never holds more of a line than the limit. */
export class LineSplitter {
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
    // A carriage return may be the line's end, cut from its line feed: it does not count.
    if (rest.length - (rest.at(-1) === CR ? 1 : 0) <= this.limits.maxLineBytes) {
      // A copy: the block that it points into is the stream's.
      this.rest = Buffer.from(rest);
      return;
    }
    this.rest = Buffer.from(rest.subarray(0, KEPT_RAW_BYTES));
    this.dropped += rest.length - this.rest.length;
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
    const fault = tooLong(sizeBytes, this.limits);
    if (fault === undefined && suspicious) this.takeSuspicious(text);
    else this.onLine(this.line, text, fault);
  }

  private takeSuspicious(text: Buffer): void {
    if (!isUtf8(text)) return this.onLine(this.line, text, NOT_UTF8);
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
