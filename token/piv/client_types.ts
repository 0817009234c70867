/** What the PIV client answers. States that a holder can cause are values; see `client.ts`. */
import { CardRefusedError } from "../apdu/channel.ts";
import type { PinPolicy, PinReference, PivAlgorithm, TouchPolicy } from "./constants.ts";

/** How a comparison of a PIN or PUK ended. */
export type PinResult =
  | { readonly outcome: "ok" }
  | { readonly outcome: "wrong"; readonly triesLeft: number }
  | { readonly outcome: "blocked" };

/** How setting a new PIN ended; "malformed": the card takes no such PIN, no try was spent. */
export type PinChange = PinResult | { readonly outcome: "malformed" };

/** What the card tells of its PIN without a try being spent. */
export type PinStatus =
  | { readonly state: "verified" }
  | { readonly state: "locked"; readonly triesLeft: number }
  | { readonly state: "blocked" };

/** A key's facts, where the card tells them (Yubico's GET METADATA). */
export interface KeyMetadata {
  readonly algorithm: number;
  readonly pinPolicy?: number;
  readonly touchPolicy?: number;
  readonly origin?: "generated" | "imported";
  /** P-256: 04 X Y. X25519 and Ed25519: 32 bytes. RSA: the members of template 7F49. */
  readonly publicKey?: Uint8Array;
}

/** What the card tells of a PIN or PUK itself (Yubico's GET METADATA); asking spends no try. */
export interface PinFacts {
  /** Still the one from the factory. */
  readonly isDefault: boolean;
  /** Tries after a right one, and now. */
  readonly tries: number;
  readonly triesLeft: number;
}

/** A PIN that a holder can have: the PIV application's, or the card's global one. */
export type HolderPin = Extract<PinReference, 0x00 | 0x80>;

/** Options for a new key. */
export interface NewKeyOptions {
  readonly algorithm: PivAlgorithm;
  readonly pinPolicy?: PinPolicy;
  readonly touchPolicy?: TouchPolicy;
}

/** An RSA key's private parts (Yubico's IMPORT KEY), each half as long as the modulus. */
export interface RsaSecret {
  readonly p: Uint8Array;
  readonly q: Uint8Array;
  readonly dp: Uint8Array;
  readonly dq: Uint8Array;
  readonly qinv: Uint8Array;
}

/** A private key to put on a card: 32 bytes for the curves; the caller wipes it. */
export interface ImportedKeyOptions extends NewKeyOptions {
  readonly secret: Uint8Array | RsaSecret;
}

/** The PIV application refused a command, and no caller's value fits. */
export class PivRefusedError extends CardRefusedError {
  override readonly name = "PivRefusedError";
}
