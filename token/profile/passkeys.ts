/**
 * The passkeys of a profile: in its container, each a `fido2prf` stanza with its name behind it, or
 * as texts that are kept beside it. Other age tools pass over the names:
 *
 *     -> sekisho-name <first 4 bytes of SHA-256(the stanza's body)> <name, base64url>
 *
 * All passkeys of one profile are asked the same question, so one is enough for any number of them,
 * and nothing says which one answered. @core
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { concat } from "../apdu/tlv.ts";
import { readHeader, writeHeader } from "./age_header.ts";
import { isPrfStanza, PRF_BODY_BYTES, prfStanzaOf } from "./fido2prf.ts";
import { MOST_PASSKEYS } from "./limits.ts";
import { isPasskeyName, PASSKEY_NAME_LABEL } from "./passkey_name.ts";
import { PRF_NONCE_BYTES } from "./prf_inputs.ts";
import type { Stanza } from "./types.ts";

/** One passkey that opens a profile. Nothing in it is secret. */
export interface Passkey {
  /** As its holder calls it. */
  readonly name: string;
  /** The stanza's body: the file key, wrapped. */
  readonly body: Uint8Array;
}

const TEXT_START = "passkey1";

/**
 * What passkeys are asked for, so that they open this profile and no other issue of it: known before
 * anything is opened, the same wherever one is added. A file key has one frame, and so one nonce.
 * @param inner SHA-256 of the sealed plaintext, as the signed head has it.
 */
export function passkeyNonce(inner: Uint8Array): Uint8Array {
  const label = new TextEncoder().encode("sekisho passkey nonce 1");
  return sha256(concat(label, inner)).subarray(0, PRF_NONCE_BYTES);
}

/** The passkeys that a container names for this profile; none where it is no container. */
export function passkeysIn(sealed: Uint8Array, nonce: Uint8Array): Passkey[] {
  const stanzas = readHeader(sealed)?.stanzas ?? [];
  return stanzas.filter((stanza) => isPrfStanza(stanza, nonce)).slice(0, MOST_PASSKEYS)
    .map(({ body }, index) => ({ body, name: nameOf(body, stanzas) ?? `passkey ${index + 1}` }));
}

/**
 * The container with these passkeys and no others of this profile; everything else stays.
 * @throws {RangeError} when they are too many.
 */
export function withPasskeys(
  sealed: Uint8Array,
  { passkeys, nonce, fileKey }: {
    passkeys: readonly Passkey[];
    nonce: Uint8Array;
    fileKey: Uint8Array;
  },
): Uint8Array {
  const parts = readHeader(sealed);
  if (parts === undefined) throw new RangeError("Cannot add a passkey: that is no container");
  if (passkeys.length > MOST_PASSKEYS) {
    throw new RangeError(`Cannot add a passkey: there are ${MOST_PASSKEYS}; remove one first`);
  }
  const others = parts.stanzas.filter((stanza) =>
    !isPrfStanza(stanza, nonce) && stanza.args[0] !== PASSKEY_NAME_LABEL
  );
  const own = passkeys.flatMap(({ name, body }) => [
    prfStanzaOf(body, nonce),
    { args: [PASSKEY_NAME_LABEL, tagOf(body), nameText(name)], body: new Uint8Array(0) },
  ]);
  return writeHeader({ stanzas: [...others, ...own], payload: parts.payload }, fileKey);
}

/** A passkey of a profile as one word, to be carried from a gateway to a station. */
export function formatPasskey({ name, body }: Passkey, nonce: Uint8Array): string {
  return [TEXT_START, base64url(concat(nonce, body)), nameText(name)].join(".");
}

/** What such a word says without a profile: its name, and of which issue it is. */
export function readPasskeyWord(
  text: string,
): { readonly name: string; readonly nonce: Uint8Array; readonly body: Uint8Array } | undefined {
  const match = /^passkey1\.([A-Za-z0-9_-]{64})\.([A-Za-z0-9_-]{2,172})$/.exec(text);
  const bytes = unbase64url(match?.[1] ?? "");
  const name = nameFrom(match?.[2] ?? "");
  if (bytes?.length !== PRF_NONCE_BYTES + PRF_BODY_BYTES || name === undefined) return undefined;
  return {
    name,
    nonce: bytes.subarray(0, PRF_NONCE_BYTES),
    body: bytes.subarray(PRF_NONCE_BYTES),
  };
}

/** "another-profile": it is a passkey, but of another issue. `undefined`: it is none. */
export function parsePasskey(
  text: string,
  nonce: Uint8Array,
): Passkey | "another-profile" | undefined {
  const word = readPasskeyWord(text);
  if (word === undefined) return undefined;
  if (nonce.some((byte, at) => byte !== word.nonce[at])) return "another-profile";
  return { name: word.name, body: word.body };
}

function nameOf(body: Uint8Array, stanzas: readonly Stanza[]): string | undefined {
  const tag = tagOf(body);
  const own = stanzas.find(({ args }) => args[0] === PASSKEY_NAME_LABEL && args[1] === tag);
  return nameFrom(own?.args[2] ?? "");
}

function tagOf(body: Uint8Array): string {
  return sha256(body).subarray(0, 4).toBase64({ omitPadding: true });
}

function nameText(name: string): string {
  if (!isPasskeyName(name)) throw new RangeError(`Cannot name a passkey ${JSON.stringify(name)}`);
  return base64url(new TextEncoder().encode(name));
}

function nameFrom(text: string): string | undefined {
  const bytes = unbase64url(text);
  if (bytes === undefined) return undefined;
  try {
    const name = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return isPasskeyName(name) ? name : undefined;
  } catch {
    return undefined; // no UTF-8
  }
}

function base64url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

function unbase64url(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.fromBase64(text, { alphabet: "base64url" });
  } catch {
    return undefined;
  }
}
