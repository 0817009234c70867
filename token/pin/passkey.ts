/**
 * A passkey's answer on its way from the page to the engine: sealed as a PIN is, and marked, so that
 * neither stands for the other. A PIN that adds a passkey is bound to that passkey's answer and name:
 * whoever relays both can't put another passkey beside it. Runs in browsers and in the engine.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { PRF_BYTES } from "../profile/prf_inputs.ts";
import { type PinOpener, type Sealed, sealPin } from "./seal.ts";

const MARK = "passkey";

/** An answer that is to be added, as it crosses. */
export interface SealedAddition extends Sealed {
  /** What its holder calls the passkey. */
  readonly name: string;
}

/** Seals both PRF results, one after the other. */
export function sealPasskey(
  prf: Uint8Array,
  to: { publicKey: Uint8Array; engine: string },
): Promise<Sealed> {
  return sealPin(prf, { ...to, bound: MARK });
}

/** The PRF results, to be wiped by the caller; `undefined` when they are not that. */
export async function openPasskey(
  opener: PinOpener,
  sealed: Sealed,
): Promise<Uint8Array | undefined> {
  const prf = await opener.open({ ...sealed, bound: MARK });
  if (prf === undefined || prf.length === PRF_BYTES) return prf;
  prf.fill(0);
  return undefined;
}

/** What a PIN is bound to that adds a passkey. */
export function boundTo({ enc, ciphertext, name }: SealedAddition): string {
  const digest = sha256.create().update(enc).update(ciphertext)
    .update(new TextEncoder().encode(name)).digest();
  return `adds ${Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
