/** What the PIV client answers. States that a holder can cause are values; see `client.ts`. */
import type { PinPolicy, PivAlgorithm } from "./constants.ts";

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

/** Options for a new key. */
export interface NewKeyOptions {
  readonly algorithm: PivAlgorithm;
  readonly pinPolicy?: PinPolicy;
}

/** The card refused a command, and no caller's value fits. */
export class PivRefusedError extends Error {
  override readonly name = "PivRefusedError";
  /** The status word. */
  readonly sw: number;

  constructor(message: string, sw: number) {
    super(message);
    this.sw = sw;
  }
}
