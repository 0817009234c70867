import type { Reference } from "../reference.ts";

/** The three keys of an OpenPGP card. */
export const KEY_NAMES = ["signature", "decipher", "authentication"] as const;

/** One of {@linkcode KEY_NAMES}. */
export type KeyName = typeof KEY_NAMES[number];

/** What the OpenPGP application remembers. */
export interface OpenPgpState {
  /** A terminated application knows nothing but that it can be activated: then it is new. */
  readonly isTerminated: boolean;
  readonly pw1: Password;
  readonly pw3: Password;
  /** Absent until the administrator sets one. */
  readonly resettingCode?: Password;
  /** X25519 public key of this application's own vault. */
  readonly vault: Uint8Array;
  /** PW1 is good for several signatures, not for one. */
  readonly isPw1Lasting: boolean;
  readonly signatures: number;
  readonly keys: Readonly<Record<KeyName, KeyPlace>>;
  /** Data objects that are written as they are, by tag. */
  readonly objects: ReadonlyMap<number, Uint8Array>;
}

/** A password: with its length, for CHANGE REFERENCE DATA brings two without a mark between them. */
export interface Password {
  readonly reference: Reference;
  readonly length: number;
}

/** Where a key lies, or may lie. */
export interface KeyPlace {
  /** Algorithm attributes as they were written (specification, section 4.4.3.9). */
  readonly attributes: Uint8Array;
  readonly fingerprint: Uint8Array;
  readonly caFingerprint: Uint8Array;
  readonly time: Uint8Array;
  readonly key?: OpenPgpKey;
}

/** A key: its private part is sealed to the vault. */
export interface OpenPgpKey {
  readonly origin: "generated" | "imported";
  /** The members of template 7F49, encoded. */
  readonly publicKey: Uint8Array;
  readonly sealed: Uint8Array;
}
