import { Buffer } from "node:buffer";
import {
  constants,
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  privateDecrypt,
  randomFillSync,
  scryptSync,
} from "node:crypto";
import { ed25519, x25519 } from "@noble/curves/ed25519.js";
import { p256 } from "@noble/curves/nist.js";
import { concat, encodeTlv, findTlv } from "../apdu/tlv.ts";
import { PIV_ALGORITHM, type PivAlgorithm, TLV_TAG } from "../piv/constants.ts";
import type { BlockAlgorithm, CardCrypto, ImportedParts, KeyPair } from "./crypto.ts";

/**
 * Key operations on curves by noble; by node:crypto what noble has not (block ciphers, RSA) or does
 * in three times the time (scrypt, which is most of unlocking).
 */
export const softwareCrypto: CardCrypto = {
  randomBytes: (length) => randomFillSync(new Uint8Array(length)),
  deriveKey: (secret, salt, cost) =>
    new Uint8Array(scryptSync(secret, salt, 32, { ...cost, maxmem: 256 * cost.N * cost.r })),
  block: oneBlock,
  generateKey,
  importKey,
  sign,
  agree,
};

/** Does each operation on curves once: the first one compiles and fills tables, 30 ms and more. */
export function warmUp(): void {
  for (const algorithm of [PIV_ALGORITHM.eccP256, PIV_ALGORITHM.x25519]) {
    const key = generateKey(algorithm);
    const peer = key && findTlv(key.publicKey, TLV_TAG.eccPoint);
    if (key === undefined || peer === undefined) continue;
    agree(algorithm, key.secret, peer);
    sign(algorithm, key.secret, peer.subarray(0, 32));
  }
}

function oneBlock(
  direction: "encrypt" | "decrypt",
  key: { algorithm: BlockAlgorithm; bytes: Uint8Array },
  input: Uint8Array,
): Uint8Array {
  // CBC with a zero vector is ECB for one block, and the only form of 3DES that the runtime has.
  const names = {
    "3DES": "des-ede3-cbc",
    "AES-128": "aes-128-ecb",
    "AES-192": "aes-192-ecb",
    "AES-256": "aes-256-ecb",
  } as const;
  const name = names[key.algorithm];
  const vector = name.endsWith("ecb") ? null : new Uint8Array(input.length);
  const make = direction === "encrypt" ? createCipheriv : createDecipheriv;
  const cipher = make(name, key.bytes, vector);
  cipher.setAutoPadding(false);
  return concat(cipher.update(input), cipher.final());
}

function generateKey(algorithm: PivAlgorithm): KeyPair | undefined {
  switch (algorithm) {
    case PIV_ALGORITHM.eccP256:
      return curveKey(algorithm, p256.utils.randomSecretKey());
    case PIV_ALGORITHM.ed25519:
    case PIV_ALGORITHM.x25519:
      return curveKey(algorithm, randomFillSync(new Uint8Array(32)));
    case PIV_ALGORITHM.rsa2048:
      return rsaKey(generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey);
    default:
      return undefined;
  }
}

function importKey(algorithm: PivAlgorithm, parts: ImportedParts): KeyPair | undefined {
  if (parts.kind === "scalar") {
    return parts.bytes.length === 32 ? curveKey(algorithm, parts.bytes) : undefined;
  }
  if (algorithm !== PIV_ALGORITHM.rsa2048) return undefined;
  return importRsa(parts.p, parts.q);
}

function curveKey(algorithm: PivAlgorithm, secret: Uint8Array): KeyPair | undefined {
  const point = (bytes: Uint8Array) => encodeTlv(TLV_TAG.eccPoint, bytes);
  switch (algorithm) {
    case PIV_ALGORITHM.eccP256:
      if (!p256.utils.isValidSecretKey(secret)) return undefined;
      return { secret, publicKey: point(p256.getPublicKey(secret, false)) };
    case PIV_ALGORITHM.ed25519:
      return { secret, publicKey: point(ed25519.getPublicKey(secret)) };
    case PIV_ALGORITHM.x25519:
      return { secret, publicKey: point(x25519.getPublicKey(secret)) };
    default:
      return undefined;
  }
}

function sign(
  algorithm: PivAlgorithm,
  secret: Uint8Array,
  challenge: Uint8Array,
): Uint8Array | undefined {
  switch (algorithm) {
    case PIV_ALGORITHM.eccP256:
      if (challenge.length === 0 || challenge.length > 64) return undefined;
      // FIPS 186-5 takes the hash as it is; noble's preference for a low S is Bitcoin's, not ours.
      return p256.sign(challenge, secret, { prehash: false, lowS: false, format: "der" });
    case PIV_ALGORITHM.ed25519:
      return ed25519.sign(challenge, secret);
    case PIV_ALGORITHM.rsa2048:
      return rsaPrivate(secret, challenge);
    default:
      return undefined;
  }
}

function agree(
  algorithm: PivAlgorithm,
  secret: Uint8Array,
  peer: Uint8Array,
): Uint8Array | undefined {
  try {
    switch (algorithm) {
      case PIV_ALGORITHM.eccP256:
        if (peer.length !== 65) return undefined;
        // noble gives the compressed shared point: one byte of sign, then X.
        return p256.getSharedSecret(secret, peer).slice(1);
      case PIV_ALGORITHM.x25519:
        return peer.length === 32 ? x25519.getSharedSecret(secret, peer) : undefined;
      default:
        return undefined;
    }
  } catch {
    // noble refuses points off the curve and small-order points by an exception.
    return undefined;
  }
}

function rsaPrivate(secret: Uint8Array, input: Uint8Array): Uint8Array | undefined {
  if (input.length !== 256) return undefined;
  const key = createPrivateKey({ key: Buffer.from(secret), format: "der", type: "pkcs8" });
  try {
    const output = privateDecrypt({ key, padding: constants.RSA_NO_PADDING }, input);
    const padded = new Uint8Array(256);
    padded.set(output, 256 - output.length);
    return padded;
  } catch {
    // A number that is not below the modulus.
    return undefined;
  }
}

function rsaKey(key: KeyObject): KeyPair {
  const { n, e } = key.export({ format: "jwk" });
  if (n === undefined || e === undefined) throw new Error("An RSA key has a modulus and exponent");
  return {
    secret: new Uint8Array(key.export({ format: "der", type: "pkcs8" })),
    publicKey: concat(
      encodeTlv(TLV_TAG.rsaModulus, Buffer.from(n, "base64url")),
      encodeTlv(TLV_TAG.rsaExponent, Buffer.from(e, "base64url")),
    ),
  };
}

/** Only the primes are needed; the exponent is 65537, as in every key that SP 800-78-4 allows. */
function importRsa(primeP: Uint8Array, primeQ: Uint8Array): KeyPair | undefined {
  const p = toBigInt(primeP);
  const q = toBigInt(primeQ);
  if (p === q || p < 3n || q < 3n || (p * q).toString(2).length !== 2048) return undefined;
  const e = 65537n;
  const d = invert(e, (p - 1n) * (q - 1n));
  const qi = invert(q, p);
  if (d === undefined || qi === undefined) return undefined;
  const member = (value: bigint, length: number) => toBytes(value, length).toString("base64url");
  try {
    return rsaKey(createPrivateKey({
      format: "jwk",
      key: {
        kty: "RSA",
        n: member(p * q, 256),
        e: "AQAB",
        d: member(d, 256),
        p: member(p, 128),
        q: member(q, 128),
        dp: member(d % (p - 1n), 128),
        dq: member(d % (q - 1n), 128),
        qi: member(qi, 128),
      },
    }));
  } catch {
    return undefined;
  }
}

function toBigInt(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt("0x" + Buffer.from(bytes).toString("hex"));
}

function toBytes(value: bigint, length: number): Buffer {
  return Buffer.from(value.toString(16).padStart(length * 2, "0"), "hex");
}

/** The inverse by Euclid's extended algorithm; `undefined` when there is none. */
function invert(value: bigint, modulus: bigint): bigint | undefined {
  let [a, b] = [((value % modulus) + modulus) % modulus, modulus];
  let [x, y] = [1n, 0n];
  while (b !== 0n) {
    const quotient = a / b;
    [a, b] = [b, a % b];
    [x, y] = [y, x - quotient * y];
  }
  return a === 1n ? ((x % modulus) + modulus) % modulus : undefined;
}
