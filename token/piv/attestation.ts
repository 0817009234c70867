/**
 * What a card attests about a key (Yubico's attestation): read, and checked as far as the card's
 * own word goes. Source: https://developers.yubico.com/PIV/Introduction/PIV_attestation.html.
 */
import "reflect-metadata";
import { X509Certificate } from "@peculiar/x509";
import { readTlv } from "../apdu/tlv.ts";
import { type CardPublicKey, isSameKey, publicKeyOfSpki } from "./public_key.ts";
import { text } from "./objects/application_template.ts";

/** A key's attestation. Everything but `chain` is only as good as the chain. */
export interface Attestation {
  readonly key: CardPublicKey;
  /** Names of the certificate and of the one that signed it, as RFC 4514 text. */
  readonly subject: string;
  readonly issuer: string;
  /** Firmware as "5.7.0", serial number, policies: `undefined` when not told. */
  readonly firmware: string | undefined;
  readonly serial: number | undefined;
  readonly pinPolicy: number | undefined;
  readonly touchPolicy: number | undefined;
  readonly chain: AttestationChain;
}

/** How far an attestation is backed. */
export type AttestationChain =
  /** An authority that the caller trusts signed the card's attestation certificate. */
  | { readonly state: "trusted"; readonly root: string }
  /** The card's own attestation certificate signed it, and nobody that the caller knows that one. */
  | { readonly state: "card's word"; readonly root: string }
  /** The card's attestation certificate did not sign it, or there is none. */
  | { readonly state: "broken" };

/** Yubico's extensions, below 1.3.6.1.4.1.41482.3. */
const EXTENSION = {
  firmware: "1.3.6.1.4.1.41482.3.3",
  serial: "1.3.6.1.4.1.41482.3.7",
  policies: "1.3.6.1.4.1.41482.3.8",
} as const;

/** What {@linkcode readAttestation} reads. */
export interface AttestationInput {
  /** The answer of `PivClient.attest`. */
  readonly der: Uint8Array<ArrayBuffer>;
  /** The card's attestation certificate: `PivClient.certificate(0xf9)`. */
  readonly issuer: Uint8Array<ArrayBuffer> | undefined;
  /** Authorities of card makers that the caller trusts, in DER. */
  readonly roots?: readonly Uint8Array<ArrayBuffer>[];
}

/** Reads and checks an attestation; `undefined` when it is no certificate of a known key. */
export async function readAttestation(input: AttestationInput): Promise<Attestation | undefined> {
  const certificate = parse(input.der);
  if (certificate === undefined) return undefined;
  const key = publicKeyOfSpki(new Uint8Array(certificate.publicKey.rawData));
  if (key === undefined) return undefined;
  const extension = (oid: string) => {
    const value = certificate.extensions.find(({ type }) => type === oid)?.value;
    return value && new Uint8Array(value);
  };
  const firmware = extension(EXTENSION.firmware);
  const [pinPolicy, touchPolicy] = extension(EXTENSION.policies) ?? [];
  return {
    key,
    subject: words(certificate.subject),
    issuer: words(certificate.issuer),
    firmware: firmware?.length === 3 ? firmware.join(".") : undefined,
    serial: serialOf(extension(EXTENSION.serial)),
    pinPolicy,
    touchPolicy,
    chain: await chainOf(certificate, input),
  };
}

/** Whether an attestation speaks of this key. */
export function attests(attestation: Attestation, key: CardPublicKey): boolean {
  return attestation.chain.state !== "broken" && isSameKey(attestation.key, key);
}

async function chainOf(
  certificate: X509Certificate,
  { issuer, roots = [] }: AttestationInput,
): Promise<AttestationChain> {
  const own = issuer && parse(issuer);
  if (own === undefined || !await isSignedBy(certificate, own)) return { state: "broken" };
  for (const root of roots.map(parse)) {
    if (root !== undefined && await isSignedBy(own, root)) {
      return { state: "trusted", root: words(root.subject) };
    }
  }
  return { state: "card's word", root: words(own.issuer) };
}

async function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): Promise<boolean> {
  if (certificate.issuer !== issuer.subject) return false;
  try {
    // Cards have no clock: their certificates' dates say nothing.
    return await certificate.verify({ publicKey: issuer.publicKey, signatureOnly: true });
  } catch {
    // An algorithm that the runtime doesn't know proves nothing.
    return false;
  }
}

function parse(der: Uint8Array<ArrayBuffer>): X509Certificate | undefined {
  try {
    return new X509Certificate(der);
  } catch {
    return undefined;
  }
}

/** A DER INTEGER of at most 32 bits. */
function serialOf(value: Uint8Array | undefined): number | undefined {
  const integer = value && readTlv(value, 0);
  if (integer?.tag !== 0x02 || integer.value.length === 0 || integer.value.length > 5) {
    return undefined;
  }
  return integer.value.reduce((sum, byte) => sum * 256 + byte, 0);
}

function words(name: string): string {
  return text(new TextEncoder().encode(name));
}
