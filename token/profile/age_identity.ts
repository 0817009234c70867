/**
 * Opening with an age identity (`AGE-SECRET-KEY-1…`, age-encryption.org/v1, "The X25519 recipient
 * type") whose secret never becomes a string, and identity files that a password opens, as
 * `age -p` writes them and `age -d -i` takes them.
 */
import { x25519 } from "@noble/curves/ed25519.js";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { decodeBech32 } from "./bech32.ts";
import { openContainer, sealContainer } from "./container.ts";
import { passwordIdentity, passwordRecipient } from "./password.ts";
import type { FileKeyIdentity } from "./types.ts";
import { ephemeralShare, isX25519Stanza, unwrapStanza, X25519_BYTES } from "./x25519_stanza.ts";

/** Longest identity file that is read: comments, a key, and sealing. */
export const LONGEST_IDENTITY_FILE = 4096;

const PREFIX = "AGE-SECRET-KEY-";

/** An identity and whom it is for, as `age-keygen` makes them. */
export interface AgeKeyPair {
  /** `AGE-SECRET-KEY-1…` */
  readonly identity: string;
  /** `age1…` */
  readonly recipient: string;
}

/** Makes an identity. */
export async function makeAgeKey(): Promise<AgeKeyPair> {
  const identity = await generateX25519Identity();
  return { identity, recipient: await identityToRecipient(identity) };
}

/**
 * Makes an identity that a password opens: the recipient, and the file that is kept wherever the
 * profile is kept. `age -d -i FILE` asks for the password. So a password can stand beside other
 * recipients, which age's own password stanza can't, and a profile is sealed again without it.
 */
export async function makePasswordIdentity(
  password: Uint8Array,
  options: { workFactor?: number } = {},
): Promise<{ recipient: string; file: Uint8Array }> {
  const { identity, recipient } = await makeAgeKey();
  const text = new TextEncoder().encode(`# public key: ${recipient}\n${identity}\n`);
  const file = await sealContainer(text, [passwordRecipient(password, options)]);
  text.fill(0);
  return { recipient, file };
}

/**
 * Reads an identity file: its first key, bare or under a password.
 * @returns "needs-password" when it is sealed and none was given, "wrong-password", "no-identity".
 */
export async function readAgeIdentity(
  file: Uint8Array,
  password?: Uint8Array,
): Promise<FileKeyIdentity | "needs-password" | "wrong-password" | "no-identity"> {
  if (file.length > LONGEST_IDENTITY_FILE) return "no-identity";
  const isSealed = new TextDecoder().decode(file.subarray(0, 22)) === "age-encryption.org/v1\n";
  if (!isSealed) return identityIn(file) ?? "no-identity";
  if (password === undefined) return "needs-password";
  const opened = await openContainer(file, passwordIdentity(password));
  if (opened === "no-key") return "wrong-password";
  if (opened === "damaged") return "no-identity";
  opened.fileKey.fill(0);
  const identity = identityIn(opened.plaintext);
  opened.plaintext.fill(0);
  return identity ?? "no-identity";
}

/** Opens with 32 secret bytes, which are taken over. */
export function x25519Identity(secret: Uint8Array): FileKeyIdentity {
  const publicKey = x25519.getPublicKey(secret);
  return {
    // deno-lint-ignore require-await
    async unwrapFileKey(stanzas) {
      for (const stanza of stanzas.filter(isX25519Stanza)) {
        const ephemeral = ephemeralShare(stanza);
        const shared = x25519.getSharedSecret(secret, ephemeral);
        const fileKey = unwrapStanza(stanza, { shared, ephemeral, publicKey });
        if (fileKey !== undefined) return fileKey;
      }
      return null;
    },
  };
}

function identityIn(file: Uint8Array): FileKeyIdentity | undefined {
  for (let start = 0; start < file.length;) {
    const newline = file.indexOf(0x0a, start);
    const end = newline < 0 ? file.length : newline;
    const line = file.subarray(start, file[end - 1] === 0x0d ? end - 1 : end);
    const secret = decodeBech32(line, { prefix: PREFIX, length: X25519_BYTES });
    if (secret !== undefined) return x25519Identity(secret);
    start = end + 1;
  }
  return undefined;
}
