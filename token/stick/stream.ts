/**
 * The payload of an age file, chunk by chunk (age-encryption.org/v1, "Payload": STREAM with
 * ChaCha20-Poly1305 and chunks of 64 KiB), so that damage is told by its place. @core
 * Contract: payload and file key in; the plaintext, or the first chunk that isn't authentic, out.
 */
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";

const NONCE = 16;
const TAG = 16;
const CHUNK = (64 << 10) + TAG;
const LABEL = new TextEncoder().encode("payload");

/** Opens a payload. The position and the end are bound into each chunk's nonce. */
export function openPayload(
  payload: Uint8Array,
  fileKey: Uint8Array,
): { plaintext: Uint8Array<ArrayBuffer> } | { chunk: number; chunks: number } {
  const sealed = payload.subarray(NONCE);
  const chunks = Math.ceil(sealed.length / CHUNK);
  const cut = sealed.length % CHUNK;
  if (payload.length < NONCE + TAG || (cut > 0 && cut < TAG)) return { chunk: chunks, chunks };
  const key = hkdf(sha256, fileKey, payload.subarray(0, NONCE), LABEL, 32);
  const plaintext = new Uint8Array(sealed.length - chunks * TAG);
  const nonce = new Uint8Array(12);
  const counter = new DataView(nonce.buffer);
  try {
    for (let chunk = 0; chunk < chunks; chunk++) {
      // Eleven bytes of counter, of which four are enough here, and one that marks the last chunk.
      counter.setUint32(7, chunk);
      nonce[11] = chunk === chunks - 1 ? 1 : 0;
      const bytes = sealed.subarray(chunk * CHUNK, (chunk + 1) * CHUNK);
      try {
        chacha20poly1305(key, nonce).decrypt(
          bytes,
          plaintext.subarray(chunk * (CHUNK - TAG)).subarray(0, bytes.length - TAG),
        );
      } catch {
        plaintext.fill(0);
        return { chunk: chunk + 1, chunks };
      }
    }
    return { plaintext };
  } finally {
    key.fill(0);
  }
}
