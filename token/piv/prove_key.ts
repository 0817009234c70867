/**
 * Whether a card has the private half of a key that it, its metadata or its certificate names. A
 * card can claim any public key: only an answer to a fresh challenge shows that it has the key.
 */
import { x25519 } from "@noble/curves/ed25519.js";
import { p256 } from "@noble/curves/nist.js";
import { concat } from "../apdu/tlv.ts";
import type { PivClient } from "./client.ts";
import { PivRefusedError } from "./client_types.ts";
import { KEY_REFERENCE, PIV_ALGORITHM } from "./constants.ts";
import type { CardPublicKey } from "./public_key.ts";
import { isSignatureOf, signMessage } from "./sign_message.ts";

/** How a challenge ended. */
export type KeyProof =
  /** The card has this private key. */
  | { readonly proof: "holds" }
  /** The card answered with another key: it, or what it carries, doesn't tell the truth. */
  | { readonly proof: "other-key" }
  /** The card refused: its PIN is not verified, or the slot is empty. `sw` is its status word. */
  | { readonly proof: "refused"; readonly sw: number };

/** What a proof needs of a card. */
export type ProvingCard = Pick<PivClient, "sign" | "agree">;

/** Fresh random bytes for one proof; see {@linkcode proveKey}. */
export const PROOF_SEED_BYTES = 48;

/**
 * Challenges the key in a slot; its PIN must be verified where its policy asks for it.
 * @param options.seed {@linkcode PROOF_SEED_BYTES} random bytes, used once; wiped here.
 * @param options.answerMs `ANSWER_MS.touch` for a key that asks for a touch.
 * @throws {CardGarbledError} when the answer is malformed.
 */
export async function proveKey(
  card: ProvingCard,
  slot: number,
  options: CardPublicKey & { seed: Uint8Array; answerMs?: number },
): Promise<KeyProof> {
  const { seed, answerMs, ...key } = options;
  const question = { key, seed, ...(answerMs === undefined ? {} : { answerMs }) };
  if (seed.length !== PROOF_SEED_BYTES) {
    throw new RangeError(`Cannot prove a key with ${seed.length} random bytes`);
  }
  try {
    const holds = agrees(slot, key)
      ? await provedByAgreement(card, slot, question)
      : await provedBySignature(card, slot, question);
    return { proof: holds ? "holds" : "other-key" };
  } catch (error) {
    if (error instanceof PivRefusedError) return { proof: "refused", sw: error.sw };
    throw error;
  } finally {
    seed.fill(0);
  }
}

interface Question {
  readonly key: CardPublicKey;
  readonly seed: Uint8Array;
  readonly answerMs?: number;
}

/** Cards keep key management keys (9D and the retired ones) to agreement, all others to signing. */
function agrees(slot: number, { algorithm }: CardPublicKey): boolean {
  if (algorithm === PIV_ALGORITHM.x25519) return true;
  const isRetired = slot >= KEY_REFERENCE.firstRetired && slot <= KEY_REFERENCE.lastRetired;
  return algorithm === PIV_ALGORITHM.eccP256 && (slot === KEY_REFERENCE.keyManagement || isRetired);
}

async function provedByAgreement(
  card: ProvingCard,
  slot: number,
  { key, seed, ...bound }: Question,
): Promise<boolean> {
  const ephemeral = key.algorithm === PIV_ALGORITHM.x25519 ? montgomery(key, seed) : weierstrass(
    key,
    seed,
  );
  // A key that is no point of its curve has no private half that anybody could hold.
  if (ephemeral === undefined) return false;
  const { algorithm } = key;
  const found = await card.agree(slot, { ...bound, algorithm, peer: ephemeral.peer });
  const same = found.length === ephemeral.shared.length &&
    found.every((byte, index) => byte === ephemeral.shared[index]);
  found.fill(0);
  ephemeral.shared.fill(0);
  return same;
}

interface Ephemeral {
  readonly peer: Uint8Array;
  readonly shared: Uint8Array;
}

function montgomery({ publicKey }: CardPublicKey, seed: Uint8Array): Ephemeral | undefined {
  const secret = seed.slice(0, 32);
  try {
    return {
      peer: x25519.getPublicKey(secret),
      shared: x25519.getSharedSecret(secret, publicKey),
    };
  } catch {
    return undefined;
  } finally {
    secret.fill(0);
  }
}

function weierstrass({ publicKey }: CardPublicKey, seed: Uint8Array): Ephemeral | undefined {
  const { secretKey } = p256.keygen(seed);
  try {
    return {
      peer: p256.getPublicKey(secretKey, false),
      shared: p256.getSharedSecret(secretKey, publicKey, false).slice(1, 33),
    };
  } catch {
    return undefined;
  } finally {
    secretKey.fill(0);
  }
}

/** The message begins with words, so that a signature never serves for anything else. */
const WORDS = new TextEncoder().encode("Sekisho asks whether this card has this key\0");

async function provedBySignature(
  card: ProvingCard,
  slot: number,
  { key, seed, ...bound }: Question,
): Promise<boolean> {
  const message = concat(WORDS, seed);
  const { algorithm } = key;
  const signature = await signMessage(card, slot, { ...bound, algorithm, message });
  return isSignatureOf(key, { message, signature });
}
