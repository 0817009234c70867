/**
 * The sealed container: one age file (age-encryption.org/v1), small enough for a single chunk. The
 * stock `age` tool opens it with any recipient that it knows.
 */
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { Decrypter, Encrypter } from "age-encryption";
import { PASSKEY_NAME_LABEL } from "./passkey_name.ts";
import { LARGEST_CONTAINER, LONGEST_HEADER, MOST_STANZAS } from "./limits.ts";
import type { FileKeyIdentity, Stanza } from "./types.ts";

const NONCE_BYTES = 16;
const TAG_BYTES = 16;

/** STREAM's nonce of the first and last chunk: counter 0, and the flag that none follows. */
const ONLY_CHUNK = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);

/** One way to seal: wraps the file key into its own stanza. */
export interface FileKeyRecipient {
  wrapFileKey(fileKey: Uint8Array): Stanza[] | Promise<Stanza[]>;
}

/** A stanza that names our key but doesn't open with it. */
export class StanzaError extends Error {
  override readonly name = "StanzaError";
}

/**
 * Seals. A string is a stock age recipient (`age1…`). By age's rules a password is the only
 * recipient of its file.
 */
export async function sealContainer(
  plaintext: Uint8Array,
  recipients: readonly (FileKeyRecipient | string)[],
): Promise<Uint8Array> {
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  const sealed = await encrypter.encrypt(plaintext);
  if (sealed.length > LARGEST_CONTAINER) {
    throw new RangeError(
      `Cannot seal the profile: ${sealed.length} bytes of ${LARGEST_CONTAINER}; ` +
        "give it fewer destinations",
    );
  }
  return sealed;
}

/**
 * Opens. "no-key": no recipient of this identity. Errors of the identity itself (a card that is
 * gone) are thrown as they came.
 * @returns The plaintext and the file key, both to be wiped by the caller.
 */
export async function openContainer(
  sealed: Uint8Array,
  identity: FileKeyIdentity,
): Promise<{ plaintext: Uint8Array; fileKey: Uint8Array } | "damaged" | "no-key"> {
  const end = sealed.length > LARGEST_CONTAINER ? undefined : headerEnd(sealed);
  if (end === undefined || sealed.length < end + NONCE_BYTES + TAG_BYTES) return "damaged";
  const fileKey = await unwrap(sealed.subarray(0, end), identity);
  if (typeof fileKey === "string") return fileKey;
  const nonce = sealed.subarray(end, end + NONCE_BYTES);
  const key = hkdf(sha256, fileKey, nonce, new TextEncoder().encode("payload"), 32);
  try {
    const payload = sealed.subarray(end + NONCE_BYTES);
    return { plaintext: chacha20poly1305(key, ONLY_CHUNK).decrypt(payload), fileKey };
  } catch {
    fileKey.fill(0);
    return "damaged";
  } finally {
    key.fill(0);
  }
}

async function unwrap(
  header: Uint8Array,
  identity: FileKeyIdentity,
): Promise<Uint8Array | "damaged" | "no-key"> {
  const seen: { noKey?: boolean; failure?: unknown } = {};
  const decrypter = new Decrypter();
  decrypter.addIdentity({
    async unwrapFileKey(stanzas: Stanza[]): Promise<Uint8Array | null> {
      try {
        const fileKey = await identity.unwrapFileKey(stanzas);
        seen.noKey = fileKey === null;
        return fileKey;
      } catch (error) {
        seen.failure = error;
        throw error;
      }
    },
  });
  try {
    return await decrypter.decryptHeader(header);
  } catch {
    const { failure } = seen;
    if (failure !== undefined && !(failure instanceof StanzaError)) throw failure;
    // With a key, but a wrong MAC: somebody changed the header.
    return seen.noKey ? "no-key" : "damaged";
  }
}

/**
 * The kinds of recipients that a container names, in its order (`piv-p256`, `X25519`, `scrypt`, …);
 * `undefined` when it is no container. Nothing is opened, and nothing of it is proven.
 */
export function recipientKinds(sealed: Uint8Array): string[] | undefined {
  const end = sealed.length > LARGEST_CONTAINER ? undefined : headerEnd(sealed);
  if (end === undefined) return undefined;
  const text = new TextDecoder("latin1").decode(sealed.subarray(0, end));
  return [...text.matchAll(/^-> (\S+)/gm)].map(([, kind = ""]) => kind)
    .filter((kind) => kind !== PASSKEY_NAME_LABEL);
}

/** Where the line of the header's MAC ends. */
function headerEnd(sealed: Uint8Array): number | undefined {
  const text = new TextDecoder("latin1").decode(sealed.subarray(0, LONGEST_HEADER));
  if (!text.startsWith("age-encryption.org/v1\n")) return undefined;
  const mac = text.indexOf("\n--- ");
  const end = mac < 0 ? -1 : text.indexOf("\n", mac + 1);
  if (end < 0) return undefined;
  const stanzas = text.slice(0, mac).split("\n-> ").length - 1;
  return stanzas > MOST_STANZAS ? undefined : end + 1;
}
