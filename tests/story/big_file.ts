/**
 * Files of any size that nobody stores: the content follows from a seed, so that whoever serves it
 * and whoever checks its hash make it on their own.
 */
import { createHash } from "node:crypto";

const BLOCK_BYTES = 64 * 1024;

/** The file's content, in blocks of at most 64 KiB. Each block is a fresh buffer. */
export function* bigFile(file: { seed: number; size: number }): Generator<Uint8Array<ArrayBuffer>> {
  const pattern = patternOf(file.seed);
  for (let at = 0, number = 0; at < file.size; at += BLOCK_BYTES, number++) {
    const block = pattern.slice(0, Math.min(BLOCK_BYTES, file.size - at));
    // No two blocks are equal: one that is lost, doubled or out of order changes the hash.
    if (block.length >= 4) new DataView(block.buffer).setUint32(0, number);
    yield block;
  }
}

/** SHA-256 of the whole file, in hexadecimal. */
export function bigFileHash(file: { seed: number; size: number }): string {
  const hash = createHash("sha256");
  for (const block of bigFile(file)) hash.update(block);
  return hash.digest("hex");
}

/** xorshift32 (Marsaglia 2003): noise that neither compresses nor repeats within a block. */
function patternOf(seed: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(BLOCK_BYTES / 4);
  let state = (seed >>> 0) || 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state >>> 0;
  }
  return new Uint8Array(words.buffer);
}
