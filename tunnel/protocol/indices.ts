import type { Handshake } from "./handshake.ts";
import type { Keypair } from "./keypair.ts";
import type { Peer } from "./peer.ts";

/** Receiver indices (whitepaper 5.4): random, so that they tell nothing about how many there are. */
export class Indices {
  readonly keypairs = new Map<number, Keypair>();
  readonly handshakes = new Map<number, { readonly peer: Peer; readonly state: Handshake }>();
  /** Of announcements under a manual key that wait for an answer. */
  readonly announcements = new Map<number, Peer>();
  readonly #random: (out: Uint8Array) => void;
  readonly #bytes = new Uint32Array(1);

  constructor(random: (out: Uint8Array) => void) {
    this.#random = random;
  }

  /** An index that isn't in use; the caller puts it into one of the maps at once. */
  fresh(): number {
    for (;;) {
      this.#random(new Uint8Array(this.#bytes.buffer));
      const index = this.#bytes[0] ?? 0;
      if (this.isFree(index)) return index;
    }
  }

  isFree(index: number): boolean {
    return !this.keypairs.has(index) && !this.handshakes.has(index) &&
      !this.announcements.has(index);
  }
}
