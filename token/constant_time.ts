/** Two byte strings in, whether they are equal out, in a time that says nothing else. @core */

/**
 * The one comparison for whatever must not be guessed: MACs, challenges, codes. Its time depends on
 * the lengths only, and lengths are no secret here. PINs aren't compared at all: a PIN is tried by
 * opening what is wrapped under it, and the tag of that is checked in constant time too.
 */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}
