import type { KdfCost } from "./crypto.ts";

/** A PIN or PUK: its tries, and a master key (of one application) wrapped under it. */
export interface Reference {
  readonly triesLeft: number;
  readonly tries: number;
  /** Whether it is still the one from the factory. */
  readonly isDefault: boolean;
  readonly salt: Uint8Array;
  readonly cost: KdfCost;
  readonly wrapped: Uint8Array;
}
