import type { BlockAlgorithm } from "./crypto.ts";
import type { PinPolicy, PivAlgorithm } from "../piv/constants.ts";
import type { OpenPgpState } from "./openpgp/state.ts";
import type { Reference } from "./reference.ts";
import type { PurseState } from "./stored_value/state.ts";

/**
 * All that a card remembers without power. Every value is immutable: a command makes a new state,
 * the shell saves it, and only then does it count.
 */
export interface CardState {
  /** Printed on a real card: 32 bits, unsigned. */
  readonly serial: number;
  readonly piv: PivState;
  /** Absent in cards that were made before there was this application: they get one with power. */
  readonly openPgp?: OpenPgpState;
  /** Absent: no issuer has put a purse on the card yet. */
  readonly purse?: PurseState;
}

/** What the PIV application remembers. */
export interface PivState {
  readonly objects: ReadonlyMap<number, StoredObject>;
  readonly keys: ReadonlyMap<number, StoredKey>;
  readonly pin: Reference;
  readonly puk: Reference;
  /** Present only on cards that were made with a global PIN. */
  readonly global?: Reference;
  readonly management: ManagementKey;
  /** X25519 public key of the vault: what is sealed to it opens with the master key only. */
  readonly vault: Uint8Array;
}

/** A data object's content, sealed where reading it needs the PIN. */
export interface StoredObject {
  readonly sealed: boolean;
  readonly bytes: Uint8Array;
}

/** One asymmetric key. */
export interface StoredKey {
  readonly algorithm: PivAlgorithm;
  readonly pinPolicy: Exclude<PinPolicy, 0>;
  readonly origin: "generated" | "imported";
  /** The members of template 7F49, encoded. */
  readonly publicKey: Uint8Array;
  /** Keys that work without a PIN can't be sealed under one: they lie in the state as they are. */
  readonly sealed: boolean;
  readonly secret: Uint8Array;
}

/** The key of the card's administrator. */
export interface ManagementKey {
  readonly algorithm: BlockAlgorithm;
  readonly isDefault: boolean;
  readonly bytes: Uint8Array;
}

/** Name of a {@linkcode Reference} in the state. */
export type ReferenceName = "pin" | "puk" | "global";
