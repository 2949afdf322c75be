import { type FileHandle, open } from 'node:fs/promises';
import { WORDS_A_NUMBER } from './chunk-database';
import { FINGERPRINT_BYTES } from './fingerprint-sql';

const BLOCK_BYTES = 64 * 1024 * FINGERPRINT_BYTES;

/** Room to read files of the cache into, used again: memory outside the heap that is made for every file costs a collection of all of it every 64 MB. */
export class ReadingRoom {
  private readonly bytes = Buffer.allocUnsafeSlow(BLOCK_BYTES);

  /**
   * Reads a file in blocks. `use` gets the words of its fingerprints, most significant first; they are gone once it returns.
   * @throws Error when the file ends within a fingerprint
   */
  async read(path: string, use: (words: Uint32Array) => void): Promise<void> {
    const file = await open(path);
    try {
      for (let filled = 0; ; ) {
        const { bytesRead } = await file.read(this.bytes, filled, BLOCK_BYTES - filled, null);
        filled += bytesRead;
        if (bytesRead > 0 && filled < BLOCK_BYTES) continue;
        if (filled % FINGERPRINT_BYTES !== 0) throw new Error(`File ${path} of the worker's cache ends within a fingerprint: delete it, it will be read from the ledger again`);
        use(wordsOf(this.bytes.subarray(0, filled)));
        if (bytesRead === 0) return;
        filled = 0;
      }
    } finally {
      await file.close();
    }
  }
}

/** Appends numbers, each with its least significant word first, to a file of the cache. */
export async function appendNumbers(file: FileHandle, numbers: AsyncIterable<Uint32Array>): Promise<void> {
  for await (const block of numbers) {
    const bytes = Buffer.allocUnsafe(block.byteLength);
    putMostSignificantFirst(block, bytes);
    await file.appendFile(bytes);
  }
}

/** Puts numbers, their words least significant first, into the bytes of `into`. */
export function putMostSignificantFirst(words: Uint32Array, into: Buffer): void {
  const target = new Uint32Array(into.buffer, into.byteOffset, words.length);
  for (let from = 0; from < words.length; from += WORDS_A_NUMBER)
    for (let word = 0; word < WORDS_A_NUMBER; word++) target[from + word] = words[from + WORDS_A_NUMBER - 1 - word] ?? 0;
  into.subarray(0, words.byteLength).swap32();
}

/** The same memory, turned to words of this machine. */
function wordsOf(bytes: Buffer): Uint32Array {
  bytes.swap32();
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / Uint32Array.BYTES_PER_ELEMENT);
}
