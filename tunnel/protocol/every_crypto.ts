/** For tests: every cryptography that this machine has, so that each is held to the same promises. */
import type { Crypto } from "./crypto.ts";
import { nativeCrypto } from "./native.ts";
import { nobleCrypto } from "./noble.ts";

/** One that isn't there is libcrypto under its own name. */
const natives = (["fastest", "avx2", "libcrypto"] as const).map((choice) => nativeCrypto(choice))
  .filter((crypto) => crypto !== undefined);

/** The native ones, the fastest first. */
export const NATIVE_CRYPTOS: readonly Crypto[] = [
  ...new Map(natives.map((crypto) => [crypto.name, crypto])).values(),
];
/** Those and the portable one. */
export const CRYPTOS: readonly Crypto[] = [...NATIVE_CRYPTOS, nobleCrypto];
