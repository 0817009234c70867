/** For tests: every cryptography that this machine has, so that each is held to the same promises. */
import type { Crypto } from "./crypto.ts";
import { nativeCrypto } from "./native.ts";
import { nobleCrypto } from "./noble.ts";

const fastest = nativeCrypto();
const plain = nativeCrypto("libcrypto");
const natives = [fastest, plain === undefined || plain.name === fastest?.name ? undefined : plain];

/** The native ones, the fastest first. */
export const NATIVE_CRYPTOS: readonly Crypto[] = natives.filter((crypto) => crypto !== undefined);
/** Those and the portable one. */
export const CRYPTOS: readonly Crypto[] = [...NATIVE_CRYPTOS, nobleCrypto];
