/** Secrets that came over the configuration socket: kept in locked native memory, 32 bytes each. */
import { SecretMemory } from "../../os/secret_memory.ts";
import type { NativeKey } from "../api.ts";

const KEY_LENGTH = 32;
const REGION_LENGTH = 4096;

/** One key's place. */
export interface StoredKey extends NativeKey {
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export class KeyStore {
  readonly #regions: SecretMemory[] = [];
  readonly #free: StoredKey[] = [];

  /** A place for a key, zeroed. */
  take(): StoredKey {
    return this.#free.pop() ?? this.#more();
  }

  /** Wipes the key; its place may be used again. */
  release(key: StoredKey): void {
    key.bytes.fill(0);
    this.#free.push(key);
  }

  /** Wipes and frees everything. */
  close(): void {
    for (const region of this.#regions) region.free();
    this.#regions.length = 0;
    this.#free.length = 0;
  }

  #more(): StoredKey {
    const region = SecretMemory.allocate(REGION_LENGTH);
    this.#regions.push(region);
    const keys = Array.from({ length: REGION_LENGTH / KEY_LENGTH }, (_, index) => ({
      address: region.address + BigInt(index * KEY_LENGTH),
      length: 32 as const,
      bytes: region.bytes.subarray(index * KEY_LENGTH, (index + 1) * KEY_LENGTH),
    }));
    const [first, ...rest] = keys;
    if (first === undefined) throw new RangeError("Cannot keep key: its region is empty");
    this.#free.push(...rest);
    return first;
  }
}
