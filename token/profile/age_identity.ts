/**
 * Opening with an age identity (`AGE-SECRET-KEY-1…`, age-encryption.org/v1, "The X25519 recipient
 * type") whose secret never becomes a string, and identity files that a password opens, as
 * `age -p` writes them and `age -d -i` takes them.
 */
import { chacha20poly1305 } from "@noble/ciphers/chacha.js";
import { x25519 } from "@noble/curves/ed25519.js";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { concat } from "../apdu/tlv.ts";
import { openContainer, sealContainer, StanzaError } from "./container.ts";
import { passwordIdentity, passwordRecipient } from "./password.ts";
import type { FileKeyIdentity, Stanza } from "./types.ts";

/** Longest identity file that is read: comments, a key, and sealing. */
export const LONGEST_IDENTITY_FILE = 4096;

const NAME = "X25519";
const LABEL = new TextEncoder().encode("age-encryption.org/v1/X25519");
const NONCE = new Uint8Array(12); // every wrapping key is used once
const KEY_BYTES = 32;
const PREFIX = new TextEncoder().encode("AGE-SECRET-KEY-");

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
      for (const stanza of stanzas) {
        if (stanza.args[0] !== NAME) continue;
        const fileKey = unwrap(stanza, { secret, publicKey });
        if (fileKey !== undefined) return fileKey;
      }
      return null;
    },
  };
}

function unwrap(
  stanza: Stanza,
  own: { secret: Uint8Array; publicKey: Uint8Array },
): Uint8Array | undefined {
  const [, share = ""] = stanza.args;
  const isWhole = stanza.args.length === 2 && stanza.body.length === KEY_BYTES &&
    /^[A-Za-z0-9+/]{43}$/.test(share);
  if (!isWhole) throw new StanzaError("Cannot open: a stanza for an identity is malformed");
  let ephemeral: Uint8Array;
  let shared: Uint8Array;
  try {
    ephemeral = Uint8Array.fromBase64(share);
    shared = x25519.getSharedSecret(own.secret, ephemeral);
  } catch {
    throw new StanzaError("Cannot open: a stanza for an identity has no key");
  }
  const key = hkdf(sha256, shared, concat(ephemeral, own.publicKey), LABEL, KEY_BYTES);
  shared.fill(0);
  try {
    return chacha20poly1305(key, NONCE).decrypt(stanza.body);
  } catch {
    return undefined; // somebody else's
  } finally {
    key.fill(0);
  }
}

function identityIn(file: Uint8Array): FileKeyIdentity | undefined {
  for (let start = 0; start < file.length;) {
    const newline = file.indexOf(0x0a, start);
    const end = newline < 0 ? file.length : newline;
    const line = file.subarray(start, file[end - 1] === 0x0d ? end - 1 : end);
    const secret = decodeIdentity(line);
    if (secret !== undefined) return x25519Identity(secret);
    start = end + 1;
  }
  return undefined;
}

const CHARSET = new TextEncoder().encode("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L");
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
const CHECKSUM = 6;

/** Bech32 (BIP 173) in capitals, with age's prefix. */
function decodeIdentity(line: Uint8Array): Uint8Array | undefined {
  const data = line.subarray(PREFIX.length + 1);
  const isOurs = PREFIX.every((byte, at) => line[at] === byte) && line[PREFIX.length] === 0x31;
  if (!isOurs || data.length !== Math.ceil(KEY_BYTES * 8 / 5) + CHECKSUM) return undefined;
  const values = Array.from(data, (byte) => CHARSET.indexOf(byte));
  if (values.includes(-1)) return undefined;
  const prefix = Array.from(PREFIX, (byte) => byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte);
  const expanded = [...prefix.map((byte) => byte >> 5), 0, ...prefix.map((byte) => byte & 31)];
  if (polymod([...expanded, ...values]) !== 1) return undefined;
  const secret = new Uint8Array(KEY_BYTES);
  let [bits, held, at] = [0, 0, 0];
  for (const value of values.slice(0, -CHECKSUM)) {
    bits = (bits << 5 | value) & 0xfff;
    held += 5;
    if (held < 8) continue;
    held -= 8;
    secret[at++] = bits >> held & 0xff;
  }
  values.fill(0);
  return secret;
}

function polymod(values: readonly number[]): number {
  let sum = 1;
  for (const value of values) {
    const top = sum >>> 25;
    sum = (sum & 0x1ffffff) << 5 ^ value;
    GENERATOR.forEach((generator, bit) => {
      if ((top >> bit & 1) === 1) sum ^= generator;
    });
  }
  return sum >>> 0;
}
