/**
 * Memory for secrets in slots of 64 bytes: a key pair's two keys, or half of a handshake's state.
 * A slot is zero when it is taken and wiped when it is given back. The memory comes from outside.
 */
export const SLOT_LENGTH = 64;

/** Views of one slot and of its halves. */
export interface KeySlot {
  readonly bytes: Uint8Array;
  readonly first: Uint8Array;
  readonly second: Uint8Array;
}

export class KeyPool {
  readonly #free: KeySlot[] = [];
  readonly #all: KeySlot[] = [];
  readonly #grow: (() => Uint8Array<ArrayBuffer>) | undefined;

  /** `grow` gives a further region when all slots are in use; without it the pool is bounded. */
  constructor(region: Uint8Array<ArrayBuffer>, grow?: () => Uint8Array<ArrayBuffer>) {
    this.#grow = grow;
    this.#add(region);
  }

  take(): KeySlot | undefined {
    if (this.#free.length === 0 && this.#grow !== undefined) this.#add(this.#grow());
    return this.#free.pop();
  }

  release(slot: KeySlot): void {
    slot.bytes.fill(0);
    this.#free.push(slot);
  }

  /** Wipes every slot, in use or not. */
  wipe(): void {
    for (const slot of this.#all) slot.bytes.fill(0);
  }

  /** Slots in use. */
  get used(): number {
    return this.#all.length - this.#free.length;
  }

  #add(region: Uint8Array<ArrayBuffer>): void {
    for (let offset = 0; offset + SLOT_LENGTH <= region.length; offset += SLOT_LENGTH) {
      const bytes = region.subarray(offset, offset + SLOT_LENGTH);
      bytes.fill(0);
      const slot = { bytes, first: bytes.subarray(0, 32), second: bytes.subarray(32) };
      this.#free.push(slot);
      this.#all.push(slot);
    }
  }
}
