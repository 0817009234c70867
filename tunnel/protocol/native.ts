/** The fast cryptography: libcrypto, and of noble only what libcrypto lacks. */
import { hchacha } from "@noble/ciphers/chacha.js";
import { Libcrypto } from "../../os/libcrypto.ts";
import type { Crypto } from "./crypto.ts";
import { nobleCrypto } from "./noble.ts";

const ZERO_NONCE = new Uint8Array(12);
/** "expand 32-byte k", the constant of ChaCha (RFC 8439, 2.3). */
const SIGMA = Uint32Array.of(0x61707865, 0x3320646e, 0x79622d32, 0x6b206574);

/** Undefined if this machine has no libcrypto that we can use. */
export function nativeCrypto(): Crypto | undefined {
  const library = Libcrypto.open();
  if (library === undefined) return undefined;
  const { blake2s } = library;
  const once = <Result>(
    privateKey: Uint8Array,
    use: (key: ReturnType<Crypto["privateKey"]>) => Result,
  ) => {
    const key = library.x25519Key(privateKey);
    const result = use(key);
    key.release();
    return result;
  };
  const ciphers: { close(): void }[] = [];
  return {
    name: "libcrypto",
    privateKey: (privateKey) => library.x25519Key(privateKey),
    publicKey: (out, privateKey) => once(privateKey, (key) => key.publicKey(out)),
    dh: (out, privateKey, publicKey) => once(privateKey, (key) => key.dh(out, publicKey)),
    hash: (out, a, b) => blake2s.hash(out, a, b),
    hmac: (out, key, data) => blake2s.hmac(out, key, data),
    mac: (out, key, data) => blake2s.mac(out, key, data),
    seal: (out, key, plaintext, ad) => library.seal(out, { key, nonce: ZERO_NONCE, plaintext, ad }),
    open: (out, key, sealed, ad) => library.open(out, { key, nonce: ZERO_NONCE, sealed, ad }),
    xseal: (out, { key, nonce, plaintext, ad }) =>
      library.seal(out, { ...extended(key, nonce), plaintext, ad }),
    xopen: (out, { key, nonce, sealed, ad }) =>
      library.open(out, { ...extended(key, nonce), sealed, ad }),
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

/** XChaCha20-Poly1305 is ChaCha20-Poly1305 with these (draft-irtf-cfrg-xchacha, 2.3). */
function extended(key: Uint8Array, nonce: Uint8Array): { key: Uint8Array; nonce: Uint8Array } {
  const subkey = new Uint8Array(32);
  hchacha(SIGMA, words(key, 8), words(nonce, 4), new Uint32Array(subkey.buffer));
  const rest = new Uint8Array(12);
  rest.set(nonce.subarray(16), 4);
  return { key: subkey, nonce: rest };
}

function words(bytes: Uint8Array, count: number): Uint32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return Uint32Array.from({ length: count }, (_, index) => view.getUint32(index * 4, true));
}
