/** What a certificate on a card says; that the card has its key is `proveKey`'s to show. */
import "reflect-metadata";
import { X509Certificate } from "@peculiar/x509";
import { text } from "./objects/application_template.ts";
import { type CardPublicKey, publicKeyOfSpki } from "./public_key.ts";

/** A certificate, for people and for a challenge. */
export interface CertificateFacts {
  /** `undefined` for algorithms that no PIV card of ours has. */
  readonly key: CardPublicKey | undefined;
  /** Names as RFC 4514 text without control characters. */
  readonly subject: string;
  readonly issuer: string;
  /** Unix milliseconds. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Reads a certificate in DER; `undefined` when it is none. */
export function certificateFacts(der: Uint8Array<ArrayBuffer>): CertificateFacts | undefined {
  try {
    const certificate = new X509Certificate(der);
    const words = (name: string) => text(new TextEncoder().encode(name));
    return {
      key: publicKeyOfSpki(new Uint8Array(certificate.publicKey.rawData)),
      subject: words(certificate.subject),
      issuer: words(certificate.issuer),
      notBefore: certificate.notBefore.getTime(),
      notAfter: certificate.notAfter.getTime(),
    };
  } catch {
    // The library throws errors of many kinds at what is no certificate.
    return undefined;
  }
}
