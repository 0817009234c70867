/**
 * What stands for a user id beside a PIN: a digest, so that two ids compare in a time that says
 * nothing. Runs in browsers and in the engine alike. @core
 */
import { sha256 } from "@noble/hashes/sha2.js";

export const USER_ID_DIGEST_BYTES = 32;
/** Longest id that a page takes, as in profiles. */
export const LONGEST_USER_ID = 128;

const CONTEXT = "sekisho user id 1\n";

/** The same for the same id as people type it: in wide or narrow letters, small or capital. */
export function userIdDigest(id: string): Uint8Array {
  return sha256(new TextEncoder().encode(CONTEXT + plainUserId(id)));
}

/** An id without what keyboards and input methods add to it. */
export function plainUserId(id: string): string {
  return id.normalize("NFKC").trim().toLowerCase();
}
