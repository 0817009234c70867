/** Netlink messages (netlink(7)): a header, and attributes that may hold others. No I/O. */
import { NLA_F_NESTED } from "./spec.ts";

export const HEADER_LENGTH = 16;
const ATTRIBUTE_HEADER = 4;
const TYPE_MASK = 0x3fff;

/** Writes one message after another into the same memory, which may be secret. */
export class MessageWriter {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  #length = 0;

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get length(): number {
    return this.#length;
  }

  /** Forgets the last message and begins the next, `fixed` behind its header. */
  begin(
    header: { type: number; flags: number; sequence: number },
    fixed: Uint8Array,
  ): void {
    this.#bytes.fill(0);
    this.#view.setUint16(4, header.type, true);
    this.#view.setUint16(6, header.flags, true);
    this.#view.setUint32(8, header.sequence, true);
    this.#length = HEADER_LENGTH;
    this.#append(fixed);
  }

  bytes(type: number, value: Uint8Array): void {
    const start = this.#header(type);
    this.#append(value);
    this.#setLength(start, ATTRIBUTE_HEADER + value.length);
  }

  u8(type: number, value: number): void {
    this.bytes(type, Uint8Array.of(value));
  }

  u16(type: number, value: number): void {
    this.bytes(type, new Uint8Array(Uint16Array.of(value).buffer));
  }

  u32(type: number, value: number): void {
    this.bytes(type, new Uint8Array(Uint32Array.of(value).buffer));
  }

  text(type: number, value: string): void {
    this.bytes(type, new TextEncoder().encode(`${value}\0`));
  }

  nested(type: number, write: () => void): void {
    const start = this.#header(type | NLA_F_NESTED);
    write();
    this.#setLength(start, this.#length - start);
  }

  /** The message as it is to be sent: a view of the memory that was given. */
  end(): Uint8Array<ArrayBuffer> {
    this.#view.setUint32(0, this.#length, true);
    return this.#bytes.subarray(0, this.#length);
  }

  wipe(): void {
    this.#bytes.fill(0);
  }

  #header(type: number): number {
    const start = this.#length;
    this.#view.setUint16(start + 2, type, true);
    this.#length += ATTRIBUTE_HEADER;
    return start;
  }

  #append(value: Uint8Array): void {
    this.#bytes.set(value, this.#length);
    this.#length = aligned(this.#length + value.length);
  }

  #setLength(start: number, length: number): void {
    this.#view.setUint16(start, length, true);
  }
}

/** One attribute; `value` is a view of the message. */
export interface Attribute {
  readonly type: number;
  readonly value: Uint8Array;
}

/** The attributes in `bytes`, as far as they are well formed. */
export function* attributesIn(bytes: Uint8Array): Generator<Attribute> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + ATTRIBUTE_HEADER <= bytes.length;) {
    const length = view.getUint16(at, true);
    if (length < ATTRIBUTE_HEADER || at + length > bytes.length) return;
    const type = view.getUint16(at + 2, true) & TYPE_MASK;
    yield { type, value: bytes.subarray(at + ATTRIBUTE_HEADER, at + length) };
    at += aligned(length);
  }
}

/** The next multiple of four. */
export function aligned(length: number): number {
  return (length + 3) & ~3;
}
