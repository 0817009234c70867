/**
 * The native cryptography with packets left as they are: no encryption and no tag. It shows what the
 * rest of the data path costs. Only an import map of the benches puts it in the place of the real
 * one; nothing in the product names it.
 */
import * as real from "../../../tunnel/protocol/native.ts";
import type { Crypto } from "../../../tunnel/protocol/crypto.ts";

export function nativeCrypto(): Crypto | undefined {
  const crypto = real.nativeCrypto();
  if (crypto === undefined) return undefined;
  return { ...crypto, transport: () => ({ seal() {}, open: () => true, forget() {} }) };
}

export const cryptoChoice = real.cryptoChoice;

export function bestCrypto(): Promise<Crypto> {
  const crypto = nativeCrypto();
  if (crypto === undefined) throw new Error("Cannot measure: there is no libcrypto 3 here");
  return Promise.resolve(crypto);
}
