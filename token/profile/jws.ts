/** Signed JSON: compact JWS (RFC 7515) with EdDSA over Ed25519 (RFC 8037), of a trusted issuer. */
import { CompactSign, compactVerify, decodeProtectedHeader, importJWK } from "jose";
import { DEEPEST_JSON, LONGEST_JWS_HEADER } from "./limits.ts";
import type { IssuerKey } from "./types.ts";

/** What a signature stands under; one kind can't be passed off as another. */
export type JwsKind =
  | "sekisho-head"
  | "sekisho-settings"
  | "sekisho-revocations"
  | "sekisho-share"
  | "sekisho-stick";

/** An issuer's private half. */
export interface IssuerSigner {
  readonly publicKey: IssuerKey;
  readonly privateKey: CryptoKey;
}

/** Signs a JSON value; ASCII bytes come back. */
export async function signJson(
  value: unknown,
  options: { kind: JwsKind; issuer: IssuerSigner },
): Promise<Uint8Array> {
  const { kind, issuer } = options;
  const jws = await new CompactSign(new TextEncoder().encode(JSON.stringify(value)))
    .setProtectedHeader({ alg: "EdDSA", typ: kind, kid: issuer.publicKey })
    .sign(issuer.privateKey);
  return new TextEncoder().encode(jws);
}

/** The signed value and who signed it, or what is wrong with it. */
export async function verifyJson(
  bytes: Uint8Array,
  options: { kind: JwsKind; issuerKeys: readonly IssuerKey[]; longest: number },
): Promise<{ value: unknown; issuer: IssuerKey } | "damaged" | "forged"> {
  if (bytes.length > options.longest) return "damaged";
  const jws = new TextDecoder().decode(bytes);
  const header = headerOf(jws);
  if (header === undefined) return "damaged";
  const issuer = options.issuerKeys.find((key) => key === header.kid);
  if (header.typ !== options.kind || header.alg !== "EdDSA" || issuer === undefined) {
    return "forged";
  }
  const key = await importJWK({ kty: "OKP", crv: "Ed25519", x: issuer }, "EdDSA");
  let payload: Uint8Array;
  try {
    ({ payload } = await compactVerify(jws, key, { algorithms: ["EdDSA"] }));
  } catch {
    // Its shape was checked above: what is left is a signature that doesn't hold.
    return "forged";
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(payload);
    return isDeep(text) ? "damaged" : { value: JSON.parse(text), issuer };
  } catch {
    return "damaged";
  }
}

/** A trusted issuer's key as people write it, or `undefined`. */
export function parseIssuerKey(text: string): IssuerKey | undefined {
  return /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/.test(text) ? text as IssuerKey : undefined;
}

/** The header of three well-formed parts, the last one as long as a signature (64 bytes). */
function headerOf(jws: string): { alg?: unknown; typ?: unknown; kid?: unknown } | undefined {
  if (!/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}$/.test(jws)) return undefined;
  if (jws.indexOf(".") > LONGEST_JWS_HEADER) return undefined;
  try {
    return decodeProtectedHeader(jws);
  } catch {
    return undefined;
  }
}

/** Whether arrays and objects lie deeper in each other than any honest text has them. */
function isDeep(json: string): boolean {
  let depth = 0;
  let inText = false;
  for (let at = 0; at < json.length; at++) {
    const character = json[at];
    if (inText) {
      if (character === "\\") at++;
      else if (character === '"') inText = false;
    } else if (character === '"') inText = true;
    else if (character === "{" || character === "[") {
      if (++depth > DEEPEST_JSON) return true;
    } else if (character === "}" || character === "]") depth--;
  }
  return false;
}
