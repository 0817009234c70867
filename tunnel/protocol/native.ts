/** The fast cryptography: libcrypto for all that is secret or frequent, noble for cookies. */
import { Libcrypto } from "../../os/libcrypto.ts";
import type { Crypto } from "./crypto.ts";
import { nobleCrypto } from "./noble.ts";

const ZERO_NONCE = new Uint8Array(12);

/** Undefined if this machine has no libcrypto that we can use. */
export function nativeCrypto(): Crypto | undefined {
  const library = Libcrypto.open();
  if (library === undefined) return undefined;
  const ciphers: { close(): void }[] = [];
  return {
    name: "libcrypto",
    publicKey: (out, privateKey) => library.x25519PublicKey(out, privateKey),
    dh: (out, privateKey, publicKey) => library.x25519(out, privateKey, publicKey),
    hash: (out, a, b) => library.blake2s(out, a, b),
    hmac: (out, key, data) => library.hmacBlake2s(out, key, data),
    mac: nobleCrypto.mac,
    seal: (out, key, plaintext, ad) => library.seal(out, { key, nonce: ZERO_NONCE, plaintext, ad }),
    open: (out, key, sealed, ad) => library.open(out, { key, nonce: ZERO_NONCE, sealed, ad }),
    xseal: nobleCrypto.xseal,
    xopen: nobleCrypto.xopen,
    transport(arena) {
      const cipher = library.packetCipher(arena);
      ciphers.push(cipher);
      return cipher;
    },
    close() {
      for (const cipher of ciphers) cipher.close();
      library.close();
    },
  };
}

/** libcrypto if it is there and `portable` doesn't say otherwise, else the portable one. */
export function bestCrypto({ portable = false }: { portable?: boolean } = {}): Crypto {
  return (portable ? undefined : nativeCrypto()) ?? nobleCrypto;
}
