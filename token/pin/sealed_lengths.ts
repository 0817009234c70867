/** How long a sealed PIN is: the same for every PIN. */
import { USER_ID_DIGEST_BYTES } from "./user_id.ts";

const TAG_BYTES = 16;

/** Longest PIN in bytes that is accepted anywhere (PIV: 8; OpenPGP and passwords: longer). */
export const MAX_PIN_BYTES = 64;

/** A PIN is padded to this length, so that its ciphertext doesn't tell how long it is. */
export const PADDED_BYTES = MAX_PIN_BYTES + 1;

/** Of a ciphertext: a padded PIN and the tag. */
export const SEALED_BYTES = PADDED_BYTES + TAG_BYTES;

/** The same with a user id's digest before the PIN. */
export const SEALED_WITH_ID_BYTES = USER_ID_DIGEST_BYTES + SEALED_BYTES;

/** Characters of so many bytes in base64url without padding. */
export function inBase64(bytes: number): number {
  return Math.ceil(bytes * 4 / 3);
}
