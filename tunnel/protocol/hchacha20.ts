/** HChaCha20 (draft-irtf-cfrg-xchacha, 2.2): what makes a ChaCha20 key of an XChaCha20 nonce. */

/** "expand 32-byte k" (RFC 8439, 2.3). */
const CONSTANTS = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574];
/** Columns, then diagonals (RFC 8439, 2.3). */
const QUARTERS = [
  [0, 4, 8, 12],
  [1, 5, 9, 13],
  [2, 6, 10, 14],
  [3, 7, 11, 15],
  [0, 5, 10, 15],
  [1, 6, 11, 12],
  [2, 7, 8, 13],
  [3, 4, 9, 14],
] as const;
const DOUBLE_ROUNDS = 10;

/** Writes 32 bytes made of `key` (32 bytes) and the first 16 bytes of `nonce`. */
export function hchacha20(out: Uint8Array, key: Uint8Array, nonce: Uint8Array): void {
  const state = new Uint32Array(16);
  state.set(CONSTANTS);
  readWords(state.subarray(4, 12), key);
  readWords(state.subarray(12), nonce);
  for (let round = 0; round < DOUBLE_ROUNDS; round++) {
    for (const [a, b, c, d] of QUARTERS) {
      addAndTurn(state, [a, b, d], 16);
      addAndTurn(state, [c, d, b], 12);
      addAndTurn(state, [a, b, d], 8);
      addAndTurn(state, [c, d, b], 7);
    }
  }
  const view = new DataView(out.buffer, out.byteOffset);
  for (let index = 0; index < 4; index++) {
    view.setUint32(index * 4, state[index] ?? 0, true);
    view.setUint32(16 + index * 4, state[12 + index] ?? 0, true);
  }
  state.fill(0);
}

function addAndTurn(
  state: Uint32Array,
  [sum, term, turned]: readonly [number, number, number],
  bits: number,
): void {
  state[sum] = (state[sum] ?? 0) + (state[term] ?? 0);
  const word = (state[turned] ?? 0) ^ (state[sum] ?? 0);
  state[turned] = (word << bits) | (word >>> (32 - bits));
}

function readWords(words: Uint32Array, bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (const index of words.keys()) words[index] = view.getUint32(index * 4, true);
}
