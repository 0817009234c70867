/**
 * PINs that go to the card derived (KDF-DO, F9): iterated and salted S2K, RFC 4880 section 3.7.1.3.
 * Section 4.3.2 of the specification.
 */
import { createHash } from "node:crypto";
import { concat, parseTlvs } from "../apdu/tlv.ts";
import { PASSWORD, type Password } from "./constants.ts";

/** How a card wants its PINs. */
export type KeyDerivation =
  | { readonly kind: "none" }
  | {
    readonly kind: "iterated";
    readonly hash: "sha256" | "sha512";
    /** Bytes that are hashed. */
    readonly count: number;
    readonly salts: { readonly user: Uint8Array; readonly administrator: Uint8Array };
  };

const TAG = { algorithm: 0x81, hash: 0x82, count: 0x83, user: 0x84, administrator: 0x86 } as const;
const ITERATED = 0x03;
const HASHES: ReadonlyMap<number, "sha256" | "sha512"> = new Map([
  [0x08, "sha256"],
  [0x0a, "sha512"],
]);

/** The most that OpenPGP's own coding of a count can say: no card makes a program hash for minutes. */
export const MOST_HASHED = 65_011_712;

/** Reads the object's content; `undefined` when it is malformed or asks for more than the bound. */
export function parseKeyDerivation(content: Uint8Array): KeyDerivation | undefined {
  const members = parseTlvs(content);
  if (members === undefined) return undefined;
  const value = (tag: number) => members.find((one) => one.tag === tag)?.value;
  const algorithm = value(TAG.algorithm);
  if (algorithm === undefined || algorithm.every((byte) => byte === 0)) return { kind: "none" };
  const hash = HASHES.get(value(TAG.hash)?.[0] ?? 0);
  const count = value(TAG.count);
  const user = value(TAG.user);
  if (algorithm.length !== 1 || algorithm[0] !== ITERATED || hash === undefined) return undefined;
  if (count?.length !== 4 || user?.length !== 8) return undefined;
  const administrator = value(TAG.administrator) ?? user;
  const bytes = new DataView(count.buffer, count.byteOffset).getUint32(0);
  if (bytes > MOST_HASHED || administrator.length !== 8) return undefined;
  return { kind: "iterated", hash, count: bytes, salts: { user, administrator } };
}

/** What goes to the card in place of a PIN; the caller wipes both. */
export function derivePin(
  derivation: KeyDerivation,
  request: { password: Password; pin: Uint8Array },
): Uint8Array {
  const { password, pin } = request;
  if (derivation.kind === "none") return pin.slice();
  const { salts, count, hash } = derivation;
  const salt = password === PASSWORD.administrator ? salts.administrator : salts.user;
  const once = concat(salt, pin);
  // Whole copies in bigger blocks: hashing 14 bytes at a time would cost ten times as much.
  const copies = Math.max(1, Math.floor(65_536 / once.length));
  const block = concat(...Array.from({ length: copies }, () => once));
  const state = createHash(hash);
  // At least one whole copy is hashed, however small the count.
  let left = Math.max(count, once.length);
  for (; left >= block.length; left -= block.length) state.update(block);
  for (; left >= once.length; left -= once.length) state.update(once);
  state.update(once.subarray(0, left));
  const derived = new Uint8Array(state.digest());
  once.fill(0);
  block.fill(0);
  return derived;
}
