/** HKDF over HMAC-BLAKE2s as WireGuard uses it (whitepaper 5.4, KDF1 to KDF3), in place. */
import type { Crypto } from "./crypto.ts";
import type { KeySlot } from "./key_pool.ts";

const ONE = Uint8Array.of(1);

export class Kdf {
  readonly #crypto: Crypto;
  /** The extracted key, then what is expanded: the previous output and one counter byte. */
  readonly #extracted: Uint8Array;
  readonly #expansion: Uint8Array;

  /** `scratch`: two slots that nobody else uses; they are zero between calls. */
  constructor(crypto: Crypto, scratch: readonly [KeySlot, KeySlot]) {
    this.#crypto = crypto;
    this.#extracted = scratch[0].first;
    this.#expansion = scratch[1].bytes.subarray(0, 33);
  }

  /** Writes the outputs one after another to `outs`; the first may be `chainKey` itself. */
  derive(outs: readonly Uint8Array[], chainKey: Uint8Array, input: Uint8Array): void {
    this.#crypto.hmac(this.#extracted, chainKey, input);
    let previous: Uint8Array | undefined;
    for (const [index, out] of outs.entries()) {
      if (previous === undefined) {
        this.#crypto.hmac(out, this.#extracted, ONE);
      } else {
        this.#expansion.set(previous);
        this.#expansion[32] = index + 1;
        this.#crypto.hmac(out, this.#extracted, this.#expansion);
      }
      previous = out;
    }
    this.#extracted.fill(0);
    this.#expansion.fill(0);
  }
}
