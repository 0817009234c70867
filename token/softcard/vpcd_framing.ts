/**
 * The protocol between vpcd (the virtual reader) and a virtual card: messages of two bytes of
 * length, the highest first, then that many bytes. From the reader, one byte alone is a control
 * code; anything longer is a command APDU. Source: vsmartcard, virtualsmartcard/src/vpcd/vpcd.c.
 * @core
 */
export const VPCD_CONTROL = { powerOff: 0, powerOn: 1, reset: 2, getAtr: 4 } as const;

/** Where Debian's vpcd listens for its first reader. */
export const VPCD_DEFAULT = { hostname: "127.0.0.1", port: 35963 } as const;

/** One message with its length, as one piece: written in two, it would cost 40 ms of delayed ACK. */
export function frame(message: Uint8Array): Uint8Array {
  const out = new Uint8Array(2 + message.length);
  out[0] = message.length >> 8;
  out[1] = message.length & 0xff;
  out.set(message, 2);
  return out;
}

/** Cuts a stream into messages. Holds at most one message (65,537 bytes) and the last chunk. */
export class Deframer {
  #held: Uint8Array = new Uint8Array(0);

  /** Adds bytes and returns the messages that are now complete. */
  push(chunk: Uint8Array): Uint8Array[] {
    const all = new Uint8Array(this.#held.length + chunk.length);
    all.set(this.#held);
    all.set(chunk, this.#held.length);
    const messages: Uint8Array[] = [];
    let at = 0;
    for (;;) {
      const high = all[at];
      const low = all[at + 1];
      if (high === undefined || low === undefined) break;
      const end = at + 2 + ((high << 8) | low);
      if (end > all.length) break;
      messages.push(all.slice(at + 2, end));
      at = end;
    }
    this.#held = all.slice(at);
    return messages;
  }
}
