/** The issuer's key as a file: an Ed25519 private key as JWK (RFC 8037) or PEM (PKCS #8). */
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { importJWK } from "jose";
import * as v from "valibot";
import { type IssuerSigner, parseIssuerKey } from "./jws.ts";
import type { IssuerKey } from "./types.ts";

const base64url = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{43}$/));

const JwkSchema = v.object({
  kty: v.literal("OKP"),
  crv: v.literal("Ed25519"),
  x: base64url,
  d: base64url,
});

/** Makes a key: the text of its file, and the public half that gateways trust. */
export function makeIssuerKey(): { file: string; publicKey: IssuerKey } {
  const { privateKey } = generateKeyPairSync("ed25519");
  const { kty, crv, x, d } = v.parse(JwkSchema, privateKey.export({ format: "jwk" }));
  const file = JSON.stringify({ kty, crv, x, d, alg: "EdDSA", use: "sig" }, undefined, 2) + "\n";
  return { file, publicKey: trusted(x) };
}

/** Reads a key file's text; `undefined` when it is no Ed25519 private key. */
export async function readIssuerKey(text: string): Promise<IssuerSigner | undefined> {
  try {
    const jwk = text.includes("-----BEGIN")
      ? createPrivateKey(text).export({ format: "jwk" })
      : JSON.parse(text);
    const { kty, crv, x, d } = v.parse(JwkSchema, jwk);
    const privateKey = await importJWK({ kty, crv, x, d }, "EdDSA");
    if (!(privateKey instanceof CryptoKey)) return undefined;
    return { publicKey: trusted(x), privateKey };
  } catch {
    return undefined; // whatever is wrong with it, it is no such key
  }
}

function trusted(x: string): IssuerKey {
  const key = parseIssuerKey(x);
  if (key === undefined) {
    throw new RangeError("Cannot read the issuer's key: its public half is cut");
  }
  return key;
}
