/** The array of SCARD_READERSTATE that GetStatusChange reads and fills. */
import type { ReaderState } from "./types.ts";
import { READERSTATE, STATE } from "./winscard.ts";

/** One table for a fixed list of readers. */
export class ReaderStates {
  readonly names: readonly string[];
  readonly table: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  /** The table holds raw addresses of these: they must live as long. */
  readonly strings: readonly Uint8Array<ArrayBuffer>[];

  constructor(names: readonly string[]) {
    this.names = names;
    // Never empty, so that it has an address.
    this.table = new Uint8Array(Math.max(1, names.length) * READERSTATE.bytes);
    this.#view = new DataView(this.table.buffer);
    this.strings = names.map(cString);
    this.strings.forEach((string, index) => {
      const address = Deno.UnsafePointer.value(Deno.UnsafePointer.of(string));
      this.#view.setBigUint64(index * READERSTATE.bytes + READERSTATE.name, address, true);
    });
  }

  /** The event state of one entry: bits and, above them, the count. */
  event(index: number): number {
    return this.#read(index, READERSTATE.event);
  }

  /** What is known of an entry, so that only other states count as a change. */
  expect(index: number, state: number): void {
    const at = index * READERSTATE.bytes + READERSTATE.current;
    this.#view.setBigUint64(at, BigInt((state & ~STATE.changed) >>> 0), true);
  }

  /** Takes what was found as what is known. */
  settle(): void {
    this.names.forEach((_, index) => this.expect(index, this.event(index)));
  }

  /** One entry for people; `undefined` when its reader is gone. */
  reader(index: number): ReaderState | undefined {
    const event = this.event(index);
    const name = this.names[index];
    if (name === undefined || (event & (STATE.unknown | STATE.unavailable)) !== 0) return undefined;
    const present = (event & STATE.present) !== 0;
    const length = Math.min(this.#read(index, READERSTATE.atrLength), READERSTATE.longestAtr);
    const at = index * READERSTATE.bytes + READERSTATE.atr;
    return {
      name,
      card: !present ? "absent" : (event & STATE.mute) !== 0 ? "mute" : "present",
      atr: present ? this.table.slice(at, at + length) : new Uint8Array(0),
      events: event >>> 16,
      exclusive: (event & STATE.exclusive) !== 0,
    };
  }

  #read(index: number, field: number): number {
    return Number(this.#view.getBigUint64(index * READERSTATE.bytes + field, true) & 0xffffffffn);
  }
}

/** A name as the library takes it. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(text);
  const out = new Uint8Array(bytes.length + 1);
  out.set(bytes);
  return out;
}
