/** What a passkey is asked for (WebAuthn's `prf` extension); runs in browsers too. @core */

/** The name of such stanzas, and the label of everything that is derived for them. */
export const PRF_LABEL = "age-encryption.org/fido2prf";

/** Bytes of a stanza's nonce. */
export const PRF_NONCE_BYTES = 16;

/** Bytes of the two results together: what opens a stanza. */
export const PRF_BYTES = 64;

/**
 * The two inputs of one question, from which the passkey makes 32 bytes each. Two, so that nobody
 * opens two files with one touch.
 */
export function prfInputs(nonce: Uint8Array): {
  first: Uint8Array<ArrayBuffer>;
  second: Uint8Array<ArrayBuffer>;
} {
  const label = new TextEncoder().encode(PRF_LABEL);
  const input = (which: number) => Uint8Array.of(...label, which, ...nonce);
  return { first: input(1), second: input(2) };
}
