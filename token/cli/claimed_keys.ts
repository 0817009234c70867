/**
 * A card's word for its keys, held against what it can prove: a profile that is sealed to another
 * key than the card's is another's to open.
 */
import { randomBytes } from "node:crypto";
import { x25519 } from "@noble/curves/ed25519.js";
import { CardRefusedError } from "../apdu/channel.ts";
import { SW } from "../apdu/status.ts";
import type { OpenPgpClient } from "../openpgp/client.ts";
import type { PivClient } from "../piv/client.ts";
import { ANSWER_MS, PIV_ALGORITHM, type PivAlgorithm, TOUCH_POLICY } from "../piv/constants.ts";
import { type Contradiction, describeKey } from "../piv/describe_keys.ts";
import { PROOF_SEED_BYTES, proveKey } from "../piv/prove_key.ts";
import { expandPoint } from "../profile/piv_p256.ts";
import type { CardKey } from "../profile/types.ts";
import { pinFault } from "./card.ts";
import { CommandError } from "./errors.ts";
import type { FlagKinds, Given } from "./options.ts";
import { readSecrets } from "./secret_input.ts";

/** Flags of commands that take a card's word, or have it proven. */
export const PROOF_FLAGS = {
  "pin-stdin": "flag",
  "pin-file": "text",
  "ask-pin": "flag",
} as const satisfies FlagKinds;

/** The help lines of {@linkcode PROOF_FLAGS}. */
export const PROOF_HELP =
  `  --ask-pin                   ask for the card's PIN, and have the card prove its keys with it
  --pin-file FILE             the same with the PIN in FILE; --pin-stdin: from standard input`;

/** The PIN for proofs (the caller wipes it); `undefined`: nobody gave one. */
export async function readProofPin(given: Given): Promise<Uint8Array | undefined> {
  const isGiven = given.flag("pin-stdin") || given.flag("ask-pin") ||
    given.text("pin-file") !== undefined;
  if (!isGiven) return undefined;
  const [pin] = await readSecrets(given, ["PIN"]);
  return pin;
}

/** A key as a card names it. */
export interface ClaimedKey {
  readonly slot: number;
  readonly algorithm: PivAlgorithm;
  /** As `PivClient.generateKey` gives it. */
  readonly publicKey: Uint8Array;
}

/** A P-256 key as profiles have it, as a card names it. */
export function claimOf({ slot, publicKey }: CardKey): ClaimedKey {
  const point = expandPoint(publicKey);
  if (point === undefined) throw new Error("It was compressed from a point");
  return { slot, algorithm: PIV_ALGORITHM.eccP256, publicKey: point };
}

/** Cards that a station asks. */
export type ClaimingCard =
  & Pick<PivClient, "verifyPin" | "metadata" | "certificate" | "attest" | "serial">
  & Pick<PivClient, "sign" | "agree">;

/**
 * Challenges keys. Without the PIN most cards refuse; then at least what lies on the card must not
 * contradict itself, and a note says that the card's word was taken.
 * @throws {CommandError} when the card does not hold a key that it names.
 */
export async function proveKeys(
  card: ClaimingCard,
  keys: readonly ClaimedKey[],
  pin: Uint8Array | undefined,
): Promise<void> {
  for (const key of keys) {
    const slot = key.slot.toString(16);
    // A key may ask for its PIN at each use.
    const fault = pin && pinFault("PIN", await card.verifyPin(pin));
    if (fault !== undefined) throw fault;
    const policy = (await card.metadata(key.slot))?.touchPolicy ?? TOUCH_POLICY.never;
    const wantsTouch = policy > TOUCH_POLICY.never;
    if (wantsTouch && pin !== undefined) console.error(`touch the card's key for slot ${slot} now`);
    const seed = new Uint8Array(randomBytes(PROOF_SEED_BYTES));
    const { slot: reference, ...claimed } = key;
    const proof = await proveKey(card, reference, {
      ...claimed,
      seed,
      ...(wantsTouch ? { answerMs: ANSWER_MS.touch } : {}),
    });
    if (proof.proof === "holds") continue;
    if (proof.proof === "other-key") throw lied(slot, "it answered a challenge with another key");
    if (pin !== undefined) {
      throw new CommandError(
        `Cannot seal to the card: it refuses to prove its key in slot ${slot} ` +
          `(${proof.sw.toString(16)}); give it another key (--new-seal-key, --new-key)`,
      );
    }
    const [contradiction] = (await describeKey(card, key.slot))?.contradictions ?? [];
    if (contradiction !== undefined) throw lied(slot, WORDS[contradiction]);
    sayTaken(`its key in slot ${slot}`);
  }
}

/**
 * The same for an OpenPGP card's decryption key (32 bytes).
 * @throws {CommandError} when the card does not hold it.
 */
export async function proveDecryptionKey(
  card: Pick<OpenPgpClient, "verifyPin" | "agree">,
  publicKey: Uint8Array,
  pin: Uint8Array | undefined,
): Promise<void> {
  const fault = pin && pinFault("PIN", await card.verifyPin(pin));
  if (fault !== undefined) throw fault;
  const secret = new Uint8Array(randomBytes(32));
  const shared = x25519.getSharedSecret(secret, publicKey);
  const peer = x25519.getPublicKey(secret);
  secret.fill(0);
  try {
    const found = await card.agree({ peer, answerMs: ANSWER_MS.touch });
    const isSame = found.every((byte, index) => byte === shared[index]);
    found.fill(0);
    if (!isSame) throw lied("of decryption", "it answered a challenge with another key");
  } catch (error) {
    const wantsPin = error instanceof CardRefusedError &&
      error.sw === SW.SECURITY_STATUS_NOT_SATISFIED && pin === undefined;
    if (!wantsPin) throw error;
    sayTaken("its decryption key");
  } finally {
    shared.fill(0);
  }
}

const WORDS: Readonly<Record<Contradiction, string>> = {
  "certificate-of-another-key": "the certificate there names another key",
  "attestation-broken": "its own attestation is about another key, or not signed by it",
  "attestation-of-another-card": "its attestation is of another card",
  "key-not-there": "it answered a challenge with another key",
};

function lied(slot: string, why: string): CommandError {
  return new CommandError(
    `Cannot seal to the card: it does not hold the key that it names in slot ${slot}: ${why}; ` +
      "don't use this card, or give it a key of its own (--new-seal-key, --new-key)",
  );
}

function sayTaken(what: string): void {
  console.error(
    `note: the card's word is taken for ${what}; with its PIN (--ask-pin, --pin-file) it would ` +
      "have to prove it",
  );
}
