/**
 * Sealing to a passkey or a security key that verifies its holder, as typage and
 * age-plugin-fido2prf do it:
 *
 *     -> age-encryption.org/fido2prf <nonce, 16 bytes>
 *     <the file key under HKDF-Extract(label, both PRF results)>
 *
 * Nothing in it tells whose passkey opens it, or at which site. Source: age-encryption 0.3.1,
 * `dist/webauthn.js`. @core
 */
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { extract } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { PRF_BYTES, PRF_LABEL, PRF_NONCE_BYTES } from "./prf_inputs.ts";
import type { FileKeyIdentity, Stanza } from "./types.ts";

/** Bytes of a stanza's body: file key and tag. */
export const PRF_BODY_BYTES = 16 + 16;

/** A wrapping key belongs to one passkey and one nonce, and a nonce to one file key. */
const ZERO_NONCE = new Uint8Array(12);

/** Whether the stanza is of this kind, well formed, and asks for this nonce. */
export function isPrfStanza({ args, body }: Stanza, nonce: Uint8Array): boolean {
  const [name, own, ...more] = args;
  return name === PRF_LABEL && own === nonceText(nonce) && more.length === 0 &&
    body.length === PRF_BODY_BYTES;
}

/** Wraps a file key. `prf`: the two results, one after the other; the caller wipes it. */
export function prfStanza(
  fileKey: Uint8Array,
  { nonce, prf }: { nonce: Uint8Array; prf: Uint8Array },
): Stanza {
  if (nonce.length !== PRF_NONCE_BYTES) throw new RangeError("A nonce has 16 bytes");
  const key = wrappingKey(prf);
  try {
    return prfStanzaOf(chacha20poly1305(key, ZERO_NONCE).encrypt(fileKey), nonce);
  } finally {
    key.fill(0);
  }
}

/** A stanza with a body that is there already. */
export function prfStanzaOf(body: Uint8Array, nonce: Uint8Array): Stanza {
  return { args: [PRF_LABEL, nonceText(nonce)], body };
}

/**
 * Opens with the PRF results; those of another passkey find no key.
 * @param options.more Stanzas that lie elsewhere, of the same file key.
 */
export function prfIdentity(
  prf: Uint8Array,
  { nonce, more = [] }: { nonce: Uint8Array; more?: readonly Stanza[] },
): FileKeyIdentity {
  return {
    // deno-lint-ignore require-await
    async unwrapFileKey(stanzas) {
      const key = wrappingKey(prf);
      try {
        for (const stanza of [...stanzas, ...more]) {
          const fileKey = isPrfStanza(stanza, nonce) ? unwrap(stanza, key) : undefined;
          if (fileKey !== undefined) return fileKey;
        }
        return null;
      } finally {
        key.fill(0);
      }
    },
  };
}

function unwrap({ body }: Stanza, key: Uint8Array): Uint8Array | undefined {
  try {
    return chacha20poly1305(key, ZERO_NONCE).decrypt(body);
  } catch {
    return undefined;
  }
}

function wrappingKey(prf: Uint8Array): Uint8Array {
  if (prf.length !== PRF_BYTES) throw new RangeError(`A passkey gives ${PRF_BYTES} bytes`);
  return extract(sha256, prf, new TextEncoder().encode(PRF_LABEL));
}

function nonceText(nonce: Uint8Array): string {
  return nonce.toBase64({ omitPadding: true });
}
