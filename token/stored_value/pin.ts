/** A purse's PIN on the wire: 4 to 8 digits as ASCII, padded with FF to 8 bytes. @core */
import { LENGTH } from "./wire.ts";

const PADDING = 0xff;
const SHORTEST = 4;

/** What INSTALL brings for a purse without a PIN. */
export const NO_PIN_BLOCK: Uint8Array = new Uint8Array(LENGTH.pin).fill(PADDING);

/**
 * 4 to 8 ASCII digits as a block; `undefined` when they are none. Bytes, not a string: the caller
 * wipes both.
 */
export function pursePinBlock(digits: Uint8Array): Uint8Array | undefined {
  if (digits.length > LENGTH.pin) return undefined;
  const block = NO_PIN_BLOCK.slice();
  block.set(digits);
  return isPursePinBlock(block) ? block : undefined;
}

/** Whether 8 bytes are 4 to 8 digits and then nothing but padding. */
export function isPursePinBlock(block: Uint8Array): boolean {
  if (block.length !== LENGTH.pin) return false;
  const padding = block.indexOf(PADDING);
  const end = padding === -1 ? block.length : padding;
  return end >= SHORTEST &&
    block.subarray(0, end).every((byte) => byte >= 0x30 && byte <= 0x39) &&
    block.subarray(end).every((byte) => byte === PADDING);
}
