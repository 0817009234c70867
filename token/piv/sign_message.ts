/** Signatures over messages, as others check them, made by a card's bare private operation. */
import { createHash, verify } from "node:crypto";
import { concat } from "../apdu/tlv.ts";
import type { PivClient } from "./client.ts";
import { PIV_ALGORITHM, type PivAlgorithm } from "./constants.ts";
import { type CardPublicKey, verifyingKey } from "./public_key.ts";

/** RFC 8017 section 9.2, note 1: what stands before a SHA-256 digest. */
const SHA256_INFO = Uint8Array.fromHex("3031300d060960864801650304020105000420");

/** What signing needs of a card. */
export type SigningCard = Pick<PivClient, "sign">;

/**
 * Signs a message with the key in a slot. P-256: ECDSA with SHA-256, DER. Ed25519: RFC 8032, 64
 * bytes. RSA: PKCS #1 v1.5 with SHA-256, as long as the modulus.
 * @throws {RangeError} for algorithms that don't sign.
 */
export function signMessage(
  card: SigningCard,
  slot: number,
  request: { algorithm: PivAlgorithm; message: Uint8Array; answerMs?: number },
): Promise<Uint8Array> {
  const { message, ...rest } = request;
  return card.sign(slot, { ...rest, input: signingInput(request.algorithm, message) });
}

/** Whether a signature of {@linkcode signMessage} is this key's. Never throws. */
export function isSignatureOf(
  key: CardPublicKey,
  signed: { message: Uint8Array; signature: Uint8Array },
): boolean {
  const verifier = verifyingKey(key);
  if (verifier === undefined) return false;
  const digest = key.algorithm === PIV_ALGORITHM.ed25519 ? null : "sha256";
  try {
    return verify(digest, signed.message, verifier, signed.signature);
  } catch {
    // A signature of the wrong shape.
    return false;
  }
}

function signingInput(algorithm: PivAlgorithm, message: Uint8Array): Uint8Array {
  switch (algorithm) {
    case PIV_ALGORITHM.ed25519:
      return message;
    case PIV_ALGORITHM.eccP256:
      return sha256(message);
    case PIV_ALGORITHM.rsa1024:
      return padded(128, message);
    case PIV_ALGORITHM.rsa2048:
      return padded(256, message);
    default:
      throw new RangeError(`Cannot sign with algorithm ${algorithm}: it doesn't sign`);
  }
}

/** RFC 8017 section 9.2: 00 01 FF … FF 00, then the digest with its name. */
function padded(length: number, message: Uint8Array): Uint8Array {
  const tail = concat(SHA256_INFO, sha256(message));
  const block = new Uint8Array(length).fill(0xff);
  block.set([0, 1]);
  block[length - tail.length - 1] = 0;
  block.set(tail, length - tail.length);
  return block;
}

function sha256(message: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(message).digest());
}
