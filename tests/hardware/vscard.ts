/**
 * The messages between QEMU's card reader (`ccid-card-passthru`) and whoever has the card: a header
 * of three 32-bit numbers, big-endian, and a body (libcacard, vscard_common.h). No I/O.
 */

export const VSC = {
  init: 1,
  error: 2,
  readerAdd: 3,
  readerRemove: 4,
  atr: 5,
  cardRemove: 6,
  apdu: 7,
} as const;

/** Before a reader has its number. */
const NO_READER = 0xffff_ffff;
const MAGIC = new TextEncoder().encode("VSCD");
/** Major 0, middle 0, minor 2, in 11, 11 and 10 bits. */
const VERSION = 2;
const HEADER = 12;
/** QEMU's own bound for one command, and more than that is no message of its. */
const LONGEST = 65_536;

export interface VscMessage {
  readonly type: number;
  readonly reader: number;
  readonly body: Uint8Array;
}

export function encodeVsc(
  type: number,
  { reader = NO_READER, body = new Uint8Array(0) }: { reader?: number; body?: Uint8Array } = {},
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER + body.length);
  const view = new DataView(bytes.buffer);
  [type, reader, body.length].forEach((value, index) => view.setUint32(index * 4, value));
  bytes.set(body, HEADER);
  return bytes;
}

/** What a card's owner says first: magic, version, no capabilities. */
export function initBody(): Uint8Array {
  const body = new Uint8Array(12);
  body.set(MAGIC);
  new DataView(body.buffer).setUint32(4, VERSION);
  return body;
}

/** Cuts a stream into messages. */
export class VscDeframer {
  #rest = new Uint8Array(0);

  /** @throws RangeError when what comes is no message of this protocol. */
  push(chunk: Uint8Array): VscMessage[] {
    const bytes = new Uint8Array(this.#rest.length + chunk.length);
    bytes.set(this.#rest);
    bytes.set(chunk, this.#rest.length);
    const view = new DataView(bytes.buffer);
    const messages: VscMessage[] = [];
    let at = 0;
    while (bytes.length - at >= HEADER) {
      const length = view.getUint32(at + 8);
      if (length > LONGEST) throw new RangeError(`Cannot read a message of ${length} bytes`);
      if (bytes.length - at < HEADER + length) break;
      const body = bytes.slice(at + HEADER, at + HEADER + length);
      messages.push({ type: view.getUint32(at), reader: view.getUint32(at + 4), body });
      at += HEADER + length;
    }
    this.#rest = bytes.slice(at);
    return messages;
  }
}
