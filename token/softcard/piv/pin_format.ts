import { PIN_LENGTH } from "../../piv/constants.ts";

/** A PIN or PUK on the wire is always 8 bytes (SP 800-73-4 part 1, section 2.4.3). */
export const PIN_BLOCK = PIN_LENGTH.longest;

/** Whether 8 bytes are 6 to 8 characters, then padding and nothing after it. */
export function isPinBlock(block: Uint8Array): boolean {
  if (block.length !== PIN_BLOCK) return false;
  const padding = block.indexOf(PIN_LENGTH.padding);
  if (padding === -1) return true;
  return padding >= PIN_LENGTH.shortest &&
    block.subarray(padding).every((byte) => byte === PIN_LENGTH.padding);
}

/** A text of 6 to 8 ASCII characters as 8 bytes; `undefined` when it is none. */
export function pinBlock(text: string): Uint8Array | undefined {
  if (!/^[\x20-\x7e]{6,8}$/.test(text)) return undefined;
  const block = new Uint8Array(PIN_BLOCK).fill(PIN_LENGTH.padding);
  block.set(new TextEncoder().encode(text));
  return block;
}
