/**
 * What a terminal's reader and the engine say to each other inside TLS: four bytes of length (the
 * highest first), one of kind, then the body. Both sides refuse what is longer than it may be. @core
 */

/** Version of these messages, in HELLO. */
export const LINK_VERSION = 1;

/** Largest command (65,544 bytes, ISO 7816-4 extended) and its kind. */
const LONGEST_FRAME = 65_545;

/** Kinds of frames. */
export const LINK = {
  // From the terminal.
  hello: 1,
  command: 2,
  reset: 3,
  release: 4,
  // From the engine.
  card: 16,
  place: 17,
  granted: 18,
  response: 19,
  ended: 20,
  refused: 21,
} as const;

export interface LinkFrame {
  readonly kind: number;
  readonly body: Uint8Array;
}

/** Where a terminal stands in the queue: two bytes of place (1: the next), then who has the card. */
export interface LinkPlace {
  readonly place: number;
  readonly holder: string;
}

export function encodeFrame(kind: number, body: Uint8Array = new Uint8Array(0)): Uint8Array {
  if (body.length + 1 > LONGEST_FRAME) {
    throw new RangeError(`Cannot send a frame of ${body.length} bytes`);
  }
  const out = new Uint8Array(5 + body.length);
  new DataView(out.buffer).setUint32(0, body.length + 1);
  out[4] = kind;
  out.set(body, 5);
  return out;
}

export function encodeText(kind: number, text: string): Uint8Array {
  return encodeFrame(kind, new TextEncoder().encode(text.slice(0, 256)));
}

export function encodePlace({ place, holder }: LinkPlace): Uint8Array {
  const name = new TextEncoder().encode(holder.slice(0, 128));
  const body = new Uint8Array(2 + name.length);
  new DataView(body.buffer).setUint16(0, Math.min(place, 0xffff));
  body.set(name, 2);
  return encodeFrame(LINK.place, body);
}

export function decodePlace(body: Uint8Array): LinkPlace | undefined {
  if (body.length < 2) return undefined;
  const place = ((body[0] ?? 0) << 8) | (body[1] ?? 0);
  return { place, holder: new TextDecoder().decode(body.subarray(2)) };
}

/** Cuts a stream into frames; holds at most one and the last chunk. */
export class LinkDeframer {
  #held: Uint8Array = new Uint8Array(0);

  /** Adds bytes; "too-long" when the other side announces more than any frame has. */
  push(chunk: Uint8Array): LinkFrame[] | "too-long" {
    const all = new Uint8Array(this.#held.length + chunk.length);
    all.set(this.#held);
    all.set(chunk, this.#held.length);
    this.#held.fill(0);
    const view = new DataView(all.buffer);
    const frames: LinkFrame[] = [];
    let at = 0;
    while (all.length - at >= 4) {
      const length = view.getUint32(at);
      if (length === 0 || length > LONGEST_FRAME) return "too-long";
      if (all.length - at < 4 + length) break;
      frames.push({ kind: all[at + 4] ?? 0, body: all.slice(at + 5, at + 4 + length) });
      at += 4 + length;
    }
    this.#held = all.slice(at);
    // A PIN may have been in it.
    all.fill(0);
    return frames;
  }
}
