import { WORDS_A_NUMBER } from './chunk-database';

const WORD_BITS = 32;
/** Some 100 MB. */
const MOST_IN_A_SET = 4 * 1024 ** 2;

/** Bits of the filter for each bucket: with one or two fingerprints a bucket, one in eight to sixteen that are not in the set passes it. */
const FILTER_BITS = 4;

/** Fingerprints whose most significant word is one of `2 ** bits` from `firstWord` on. */
export interface FingerprintRange {
  readonly firstWord: number;
  readonly bits: number;
}

/** Equal ranges that are all fingerprints, as many as it takes for `count` of them not to be more than `most` in any, as MD5 spreads them. */
export function rangesFor(count: number, most = MOST_IN_A_SET): readonly FingerprintRange[] {
  const bits = WORD_BITS - Math.max(0, Math.ceil(Math.log2(count / most)));
  return Array.from({ length: 2 ** (WORD_BITS - bits) }, (_, index) => ({ firstWord: index * 2 ** bits, bits }));
}

/** Whether a fingerprint lies in a range. */
export function withinRangeSql(fingerprint: string, { firstWord, bits }: FingerprintRange): string {
  const [first, after] = [firstWord, firstWord + 2 ** bits].map((word) => BigInt(word) << BigInt((WORDS_A_NUMBER - 1) * WORD_BITS));
  return `${fingerprint} between ${first}::uhugeint and ${(after ?? 0n) - 1n}::uhugeint`;
}

/**
 * Fingerprints of a chunk in memory, some 25 bytes each, to find which of them the ledger has too. Both are in order, so that neighbours are
 * looked up one after another; what is looked up is mostly not in the set, and a filter that fits a processor's cache says so. A stored
 * fingerprint takes some 15 ns. To hash the chunk instead took three times as long as to have it in order (decision 0039).
 */
export class FingerprintSet {
  private readonly bucketShift: number;
  /** Of each bucket the place of its first fingerprint, and after the last one their count. */
  private readonly starts: Uint32Array;
  private readonly filterShift: number;
  private readonly filter: Uint8Array;
  /** 1 where the ledger has it. */
  private readonly isMet: Uint8Array;
  private metCount = 0;

  private constructor(
    /** In order and each once; of each, least significant word first, as DuckDB has them. */
    private readonly words: Uint32Array,
    private readonly firstWord: number,
    private readonly rangeBits: number,
  ) {
    const count = words.length / WORDS_A_NUMBER;
    const bucketBits = Math.min(rangeBits, Math.max(1, Math.floor(Math.log2(count + 1))));
    const filterBits = Math.min(rangeBits, bucketBits + FILTER_BITS);
    this.bucketShift = rangeBits - bucketBits;
    this.filterShift = rangeBits - filterBits;
    this.starts = new Uint32Array(2 ** bucketBits + 1);
    this.filter = new Uint8Array(Math.ceil(2 ** filterBits / 8));
    this.isMet = new Uint8Array(count);
    this.index();
  }

  /**
   * @param numbers - all of a range, in order, in blocks
   * @param most - no more come; room that they do not fill is never touched, and costs nothing
   */
  static async of(numbers: AsyncIterable<Uint32Array>, most: number, { firstWord, bits }: FingerprintRange): Promise<FingerprintSet> {
    const words = new Uint32Array(most * WORDS_A_NUMBER);
    let end = 0;
    for await (const block of numbers) {
      for (let from = 0; from < block.length; from += WORDS_A_NUMBER) {
        // Who sends a record a million times must not have its bucket walked through a million steps for each that is looked up there.
        if (end > 0 && areEqual(words, end - WORDS_A_NUMBER, block, from)) continue;
        for (let word = 0; word < WORDS_A_NUMBER; word++) words[end + word] = block[from + word] ?? 0;
        end += WORDS_A_NUMBER;
      }
    }
    return new FingerprintSet(words.subarray(0, end), firstWord, bits);
  }

  private index(): void {
    const { words, starts, filter } = this;
    for (let from = 0; from < words.length; from += WORDS_A_NUMBER) {
      const place = (words[from + WORDS_A_NUMBER - 1] ?? 0) - this.firstWord;
      const bit = place >>> this.filterShift;
      filter[bit >>> 3] = (filter[bit >>> 3] ?? 0) | (1 << (bit & 7));
      const after = (place >>> this.bucketShift) + 1;
      starts[after] = (starts[after] ?? 0) + 1;
    }
    for (let bucket = 1; bucket < starts.length; bucket++) starts[bucket] = (starts[bucket] ?? 0) + (starts[bucket - 1] ?? 0);
  }

  /** Marks what stored fingerprints have in common with the set. @param stored - words of each, most significant first */
  meet(stored: Uint32Array): void {
    const { words, starts, filter, isMet, firstWord, filterShift, bucketShift } = this;
    const rangeEnd = 2 ** this.rangeBits;
    for (let from = 0; from < stored.length; from += WORDS_A_NUMBER) {
      const place = (stored[from] ?? 0) - firstWord;
      if (place < 0 || place >= rangeEnd) continue;
      const bit = place >>> filterShift;
      if (((filter[bit >>> 3] ?? 0) & (1 << (bit & 7))) === 0) continue;
      const bucket = place >>> bucketShift;
      const end = starts[bucket + 1] ?? 0;
      for (let index = starts[bucket] ?? 0; index < end; index++) {
        const at = index * WORDS_A_NUMBER;
        if (words[at + 3] === stored[from] && words[at + 2] === stored[from + 1] && words[at + 1] === stored[from + 2] && words[at] === stored[from + 3]) {
          if (isMet[index] === 0) this.metCount++;
          isMet[index] = 1;
        }
      }
    }
  }

  /** Whether the ledger has more than half of them. */
  get isMostlyMet(): boolean {
    return 2 * this.metCount > this.isMet.length;
  }

  /** Those that were met or those that were not, in blocks of at most `blockCount`, as DuckDB has them; a block is gone once the next one is asked for. */
  *numbers(which: 'met' | 'unmet', blockCount: number): Generator<Uint32Array> {
    const wanted = which === 'met' ? 1 : 0;
    const block = new Uint32Array(blockCount * WORDS_A_NUMBER);
    let end = 0;
    for (let index = 0; index < this.isMet.length; index++) {
      if (this.isMet[index] !== wanted) continue;
      for (let word = 0; word < WORDS_A_NUMBER; word++) block[end + word] = this.words[index * WORDS_A_NUMBER + word] ?? 0;
      end += WORDS_A_NUMBER;
      if (end < block.length) continue;
      yield block;
      end = 0;
    }
    if (end > 0) yield block.subarray(0, end);
  }
}

function areEqual(a: Uint32Array, atA: number, b: Uint32Array, atB: number): boolean {
  for (let word = 0; word < WORDS_A_NUMBER; word++) if (a[atA + word] !== b[atB + word]) return false;
  return true;
}
