/** Response APDUs: ISO 7816-4:2020 section 5.1; data followed by SW1-SW2. */
export interface ResponseApdu {
  readonly data: Uint8Array;
  /** Status word, SW1 in the high byte. */
  readonly sw: number;
}

/** Splits a raw response; `undefined` when there is no room for a status word. */
export function parseResponse(raw: Uint8Array): ResponseApdu | undefined {
  const sw1 = raw.at(-2);
  const sw2 = raw.at(-1);
  if (sw1 === undefined || sw2 === undefined) return undefined;
  return { data: raw.slice(0, raw.length - 2), sw: (sw1 << 8) | sw2 };
}

/** Writes a response as its raw bytes. */
export function encodeResponse(sw: number, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const out = new Uint8Array(data.length + 2);
  out.set(data);
  out[data.length] = sw >> 8;
  out[data.length + 1] = sw & 0xff;
  return out;
}
