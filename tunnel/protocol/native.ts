/**
 * The fast cryptography: libcrypto, and Intel's multi-buffer library for packets where the machine
 * has it. The portable one, noble, is loaded only where it is needed: it takes 5 MB.
 */
import { IpsecMb } from "../../os/ipsec_mb.ts";
import { Libcrypto } from "../../os/libcrypto.ts";
import type { Crypto } from "./crypto.ts";
import { hchacha20 } from "./hchacha20.ts";

const ZERO_NONCE = new Uint8Array(12);

/**
 * What to use: everything that this machine has; of its processor nothing wider than AVX2, which is
 * what most have; libcrypto for packets too; or nothing native.
 */
export type CryptoChoice = "fastest" | "avx2" | "libcrypto" | "portable";
const CHOICES: readonly CryptoChoice[] = ["fastest", "avx2", "libcrypto", "portable"];

/** What `text` asks for; anything else than a choice's name is none. */
export function cryptoChoice(text: string | undefined): CryptoChoice {
  return CHOICES.find((choice) => choice === text) ?? "fastest";
}

/** Undefined if this machine has no libcrypto that we can use. */
export function nativeCrypto(
  choice: Exclude<CryptoChoice, "portable"> = "fastest",
): Crypto | undefined {
  const library = Libcrypto.open();
  if (library === undefined) return undefined;
  const packets = choice === "libcrypto"
    ? undefined
    : IpsecMb.open(choice === "avx2" ? "avx2" : "widest");
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
    name: packets === undefined
      ? "libcrypto"
      : choice === "avx2"
      ? "libcrypto+ipsec-mb-avx2"
      : "libcrypto+ipsec-mb",
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
      const cipher = (packets ?? library).packetCipher(arena);
      ciphers.push(cipher);
      return cipher;
    },
    close() {
      for (const cipher of ciphers) cipher.close();
      packets?.close();
      library.close();
    },
  };
}

/** The native one if it is there and `choice` doesn't say otherwise, else the portable one. */
export async function bestCrypto(choice: CryptoChoice = "fastest"): Promise<Crypto> {
  const native = choice === "portable" ? undefined : nativeCrypto(choice);
  return native ?? (await import("./noble.ts")).nobleCrypto;
}

/** XChaCha20-Poly1305 is ChaCha20-Poly1305 with these (draft-irtf-cfrg-xchacha, 2.3). */
function extended(key: Uint8Array, nonce: Uint8Array): { key: Uint8Array; nonce: Uint8Array } {
  const subkey = new Uint8Array(32);
  hchacha20(subkey, key, nonce);
  const rest = new Uint8Array(12);
  rest.set(nonce.subarray(16), 4);
  return { key: subkey, nonce: rest };
}
