/** A key of the card in, a certificate about it out. @core */
import { sha256 } from "@noble/hashes/sha2.js";
import { concat, encodeTlv, findTlv, parseTlvs } from "../apdu/tlv.ts";
import { PIV_ALGORITHM, TLV_TAG, TOUCH_POLICY } from "../piv/constants.ts";
import type { CardCrypto } from "./crypto.ts";
import { certificateText, der } from "./der.ts";
import type { StoredKey } from "./state.ts";

/** The card's own attester: a key that no command reaches, and its certificate. */
export interface Attester {
  readonly key: StoredKey;
  /** Content of the certificate's data object (5FFF01). */
  readonly object: Uint8Array;
}

/** Makes an attester with a self-signed certificate; the card has no clock, so without an end. */
export function makeAttester(crypto: CardCrypto): Attester {
  const pair = crypto.generateKey(PIV_ALGORITHM.eccP256);
  if (pair === undefined) throw new Error("Every card's crypto makes P-256 keys");
  const key: StoredKey = {
    algorithm: PIV_ALGORITHM.eccP256,
    pinPolicy: 1,
    origin: "generated",
    publicKey: pair.publicKey,
    sealed: false,
    secret: pair.secret,
  };
  const name = der.name("Sekisho Software Card Attestation");
  const basicConstraints = der.sequence(encodeTlv(0x01, Uint8Array.of(0xff)));
  const certificate = signed(crypto, key, {
    issuer: name,
    // RFC 5280 section 4.1.2.5: no well-defined end.
    validity: der.sequence(der.time("20000101000000Z"), der.time("99991231235959Z")),
    subject: name,
    publicKey: subjectPublicKeyInfo(key),
    extensions: [{ id: "2.5.29.19", value: basicConstraints, critical: true }],
  });
  if (certificate === undefined) throw new Error("A fresh P-256 key signs");
  return { key, object: certificateObject(certificate) };
}

/** What the card says about a key that it made. */
export interface AttestedKey {
  readonly slot: number;
  readonly key: StoredKey;
  readonly serial: number;
  readonly firmware: Uint8Array;
}

/**
 * A certificate that says: this key was made in this card. Extensions as Yubico's (firmware,
 * serial, policies; https://developers.yubico.com/PIV/Introduction/PIV_attestation.html), so that
 * its verifiers read them. `undefined` when the attester isn't a usable one.
 */
export function attest(
  crypto: CardCrypto,
  attester: { key: StoredKey; object: Uint8Array },
  subject: AttestedKey,
): Uint8Array | undefined {
  const own = readIssuer(attester.object);
  if (own === undefined) return undefined;
  const serial = new Uint8Array(4);
  new DataView(serial.buffer).setUint32(0, subject.serial);
  return signed(crypto, attester.key, {
    issuer: own.subject,
    validity: own.validity,
    subject: der.name(`Sekisho Software Card Attestation ${subject.slot.toString(16)}`),
    publicKey: subjectPublicKeyInfo(subject.key),
    extensions: [
      { id: "1.3.6.1.4.1.41482.3.3", value: subject.firmware },
      { id: "1.3.6.1.4.1.41482.3.7", value: der.integer(serial) },
      {
        id: "1.3.6.1.4.1.41482.3.8",
        value: Uint8Array.of(subject.key.pinPolicy, TOUCH_POLICY.never),
      },
    ],
  });
}

/** SP 800-73-4 part 1, table 10: certificate, not compressed, no error detection code. */
function certificateObject(certificate: Uint8Array): Uint8Array {
  return concat(
    encodeTlv(TLV_TAG.certificate, certificate),
    encodeTlv(TLV_TAG.certificateInfo, Uint8Array.of(0)),
    encodeTlv(TLV_TAG.errorDetectionCode, new Uint8Array(0)),
  );
}

function signed(
  crypto: CardCrypto,
  key: StoredKey,
  parts: Omit<Parameters<typeof certificateText>[0], "serial" | "algorithm">,
): Uint8Array | undefined {
  if (key.algorithm !== PIV_ALGORITHM.eccP256 || key.sealed) return undefined;
  // RFC 5758 section 3.2: ecdsa-with-SHA256.
  const algorithm = der.sequence(der.oid("1.2.840.10045.4.3.2"));
  const text = certificateText({ ...parts, algorithm, serial: crypto.randomBytes(16) });
  const signature = crypto.sign(key.algorithm, key.secret, sha256(text));
  return signature && der.sequence(text, algorithm, der.bitString(signature));
}

/** RFC 5280 section 4.1.2.7, with the algorithms of RFC 5480, 8410 and 3279. */
function subjectPublicKeyInfo(key: StoredKey): Uint8Array {
  const member = (tag: number) => findTlv(key.publicKey, tag) ?? new Uint8Array(0);
  const curve = (...identifiers: string[]) =>
    der.sequence(
      der.sequence(...identifiers.map(der.oid)),
      der.bitString(member(TLV_TAG.eccPoint)),
    );
  switch (key.algorithm) {
    case PIV_ALGORITHM.eccP256:
      return curve("1.2.840.10045.2.1", "1.2.840.10045.3.1.7");
    case PIV_ALGORITHM.ed25519:
      return curve("1.3.101.112");
    case PIV_ALGORITHM.x25519:
      return curve("1.3.101.110");
    default: {
      const numbers = [member(TLV_TAG.rsaModulus), member(TLV_TAG.rsaExponent)];
      return der.sequence(
        der.sequence(der.oid("1.2.840.113549.1.1.1"), der.nothing()),
        der.bitString(der.sequence(...numbers.map(der.integer))),
      );
    }
  }
}

function readIssuer(object: Uint8Array): { subject: Uint8Array; validity: Uint8Array } | undefined {
  const certificate = findTlv(object, TLV_TAG.certificate);
  const outer = certificate && findTlv(certificate, 0x30);
  const text = outer && findTlv(outer, 0x30);
  const members = text && parseTlvs(text);
  // Version, serial, algorithm, issuer, validity, subject.
  const [version, , , , validity, subject] = members ?? [];
  if (version?.tag !== 0xa0 || validity?.tag !== 0x30 || subject?.tag !== 0x30) return undefined;
  return {
    subject: encodeTlv(subject.tag, subject.value),
    validity: encodeTlv(validity.tag, validity.value),
  };
}
