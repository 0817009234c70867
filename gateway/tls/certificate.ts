/**
 * X.509 certificates for the box: an authority that is worth something only for private names and
 * addresses, and a server certificate under it. ECDSA with P-256 and SHA-256. Source: RFC 5280.
 * Times and serial numbers are passed in.
 */
import "reflect-metadata"; // the library's dependency injection wants it first
import { isIP } from "node:net";
import { AsnConvert } from "@peculiar/asn1-schema";
import {
  GeneralName,
  GeneralSubtree,
  GeneralSubtrees,
  id_ce_nameConstraints,
  NameConstraints,
} from "@peculiar/asn1-x509";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";

export interface CertificateFields {
  /** 16 random bytes; made positive here. */
  readonly serial: Uint8Array;
  /** Unix milliseconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Common names. */
  readonly subject: string;
  readonly issuer: string;
  readonly publicKey: CryptoKey;
  readonly issuerPublicKey: CryptoKey;
  /** The issuer's. */
  readonly signer: CryptoKey;
}

/** What an authority may vouch for; everything else is refused by whoever checks. */
export interface NameLimits {
  /** Domains with all that is under them. */
  readonly domains: readonly string[];
  readonly networks: readonly string[];
}

/** A certificate in PEM. */
export function makeAuthority(fields: CertificateFields, limits: NameLimits): Promise<string> {
  return certificate(fields, [
    new BasicConstraintsExtension(true, 0, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    nameConstraints(limits),
  ]);
}

/** A certificate in PEM. `names` are host names and IP addresses. */
export function makeServer(fields: CertificateFields, names: readonly string[]): Promise<string> {
  return certificate(fields, [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
    new SubjectAlternativeNameExtension(
      names.map((value) => ({ type: isIP(value) === 0 ? "dns" as const : "ip" as const, value })),
    ),
  ]);
}

/** PKCS #8 as PEM. */
export function privateKeyPem(pkcs8: ArrayBuffer): string {
  return `${PemConverter.encode(pkcs8, "PRIVATE KEY")}\n`;
}

async function certificate(fields: CertificateFields, extensions: Extension[]): Promise<string> {
  const made = await X509CertificateGenerator.create({
    serialNumber: fields.serial.map((byte, i) => i === 0 ? (byte & 0x7f) | 0x40 : byte).toHex(),
    subject: [{ CN: [fields.subject] }],
    issuer: [{ CN: [fields.issuer] }],
    notBefore: new Date(fields.notBefore),
    notAfter: new Date(fields.notAfter),
    publicKey: fields.publicKey,
    signingKey: fields.signer,
    signingAlgorithm: { name: "ECDSA", hash: "SHA-256" },
    extensions: [
      ...extensions,
      await SubjectKeyIdentifierExtension.create(fields.publicKey),
      await AuthorityKeyIdentifierExtension.create(fields.issuerPublicKey),
    ],
  });
  return `${made.toString("pem")}\n`;
}

/** permittedSubtrees only: for a kind of name that is listed here, nothing else is allowed. */
function nameConstraints({ domains, networks }: NameLimits): Extension {
  const names = [
    ...domains.map((dNSName) => new GeneralName({ dNSName })),
    ...networks.map((iPAddress) => new GeneralName({ iPAddress })),
  ];
  const permittedSubtrees = new GeneralSubtrees(
    names.map((base) => new GeneralSubtree({ base })),
  );
  const value = AsnConvert.serialize(new NameConstraints({ permittedSubtrees }));
  return new Extension(id_ce_nameConstraints, true, value);
}
