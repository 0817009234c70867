/** WireGuard key pairs (X25519, RFC 7748) as `wg` has them, without big numbers or strings. */
import { Buffer } from "node:buffer";
import { createPrivateKey, createPublicKey, randomBytes } from "node:crypto";

/** RFC 8410: what stands before the 32 bytes of an X25519 key in PKCS #8. */
const PKCS8_HEAD = Uint8Array.fromHex("302e020100300506032b656e04220420");

/** A key pair; the caller wipes the private half. */
export interface WireGuardKeyPair {
  readonly privateKey: Uint8Array;
  /** Base64, 44 characters. */
  readonly publicKey: string;
}

/** Makes a key pair. */
export function makeWireGuardKey(): WireGuardKeyPair {
  const privateKey = new Uint8Array(randomBytes(32));
  privateKey[0] = (privateKey[0] ?? 0) & 248;
  privateKey[31] = ((privateKey[31] ?? 0) & 127) | 64;
  return { privateKey, publicKey: wireGuardPublicKey(privateKey) };
}

/** The public half of 32 private bytes, base64. */
export function wireGuardPublicKey(privateKey: Uint8Array): string {
  if (privateKey.length !== 32) throw new RangeError("Cannot use the key: it has not 32 bytes");
  const der = Buffer.alloc(PKCS8_HEAD.length + 32);
  der.set(PKCS8_HEAD);
  der.set(privateKey, PKCS8_HEAD.length);
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  der.fill(0);
  const { x } = createPublicKey(key).export({ format: "jwk" });
  return Buffer.from(x ?? "", "base64url").toString("base64");
}
