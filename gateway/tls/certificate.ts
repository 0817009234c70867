/**
 * X.509 certificates for the box: an authority that is worth something only for private names and
 * addresses, and a server certificate under it. ECDSA with P-256 and SHA-256. Source: RFC 5280,
 * RFC 5480, RFC 5758. Times and serial numbers are passed in.
 */
import { isIPv4, isIPv6 } from "node:net";
import { formatNetwork, parseAddress, parseNetwork } from "../../os/ip_network.ts";
import {
  bitString,
  boolean,
  context,
  type Der,
  integer,
  objectId,
  octetString,
  sequence,
  set,
  time,
  utf8,
} from "./der.ts";

export interface CertificateFields {
  /** 16 random bytes; made positive here. */
  readonly serial: Uint8Array;
  /** Unix milliseconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly subject: string;
  readonly issuer: string;
  readonly publicKey: CryptoKey;
  /** The issuer's. */
  readonly issuerPublicKey: CryptoKey;
  readonly signer: CryptoKey;
}

/** What an authority may vouch for; everything else is refused by whoever checks. */
export interface NameLimits {
  /** Domains with all that is under them. */
  readonly domains: readonly string[];
  readonly networks: readonly string[];
}

export async function makeAuthority(fields: CertificateFields, limits: NameLimits): Promise<Der> {
  return await certificate(fields, [
    extension(OID.basicConstraints, sequence(boolean(true), integer(Uint8Array.of(0))), "critical"),
    // keyCertSign and cRLSign: bits 5 and 6.
    extension(OID.keyUsage, bitString(Uint8Array.of(0b0000_0110), 1), "critical"),
    extension(OID.nameConstraints, nameConstraints(limits), "critical"),
  ]);
}

/** `names` are host names and IP addresses. */
export async function makeServer(
  fields: CertificateFields,
  names: readonly string[],
): Promise<Der> {
  return await certificate(fields, [
    extension(OID.basicConstraints, sequence(), "critical"),
    extension(OID.keyUsage, bitString(Uint8Array.of(0b1000_0000), 7), "critical"),
    extension(OID.extendedKeyUsage, sequence(objectId(OID.serverAuth))),
    extension(OID.subjectAltName, sequence(...names.map(generalName))),
  ]);
}

const OID = {
  commonName: "2.5.4.3",
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  nameConstraints: "2.5.29.30",
  authorityKeyIdentifier: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
  serverAuth: "1.3.6.1.5.5.7.3.1",
} as const;

const VERSION_3 = 2;
const ALGORITHM = sequence(objectId(OID.ecdsaWithSha256));
const CONSTRUCTED = { constructed: true };
const PRIMITIVE = { constructed: false };
/** GeneralName choices, RFC 5280 section 4.2.1.6. */
const DNS_NAME = 2;
const IP_ADDRESS = 7;

async function certificate(fields: CertificateFields, extensions: Der[]): Promise<Der> {
  const authorityKey = context(0, PRIMITIVE, await keyId(fields.issuerPublicKey));
  const tbs = sequence(
    context(0, CONSTRUCTED, integer(Uint8Array.of(VERSION_3))),
    integer(fields.serial.map((byte, i) => i === 0 ? (byte & 0x7f) | 0x40 : byte)),
    ALGORITHM,
    name(fields.issuer),
    sequence(time(fields.notBefore), time(fields.notAfter)),
    name(fields.subject),
    await spki(fields.publicKey),
    context(
      3,
      CONSTRUCTED,
      sequence(
        ...extensions,
        extension(OID.subjectKeyIdentifier, octetString(await keyId(fields.publicKey))),
        extension(OID.authorityKeyIdentifier, sequence(authorityKey)),
      ),
    ),
  );
  const raw = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, fields.signer, tbs);
  return sequence(tbs, ALGORITHM, bitString(signature(new Uint8Array(raw))));
}

/** WebCrypto gives r and s side by side; X.509 wants Ecdsa-Sig-Value (RFC 5480 section 2.2.3). */
function signature(raw: Uint8Array): Der {
  const half = raw.length / 2;
  return sequence(integer(raw.subarray(0, half)), integer(raw.subarray(half)));
}

function name(commonName: string): Der {
  return sequence(set(sequence(objectId(OID.commonName), utf8(commonName))));
}

async function spki(key: CryptoKey): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.exportKey("spki", key));
}

/** RFC 7093 section 2, method 1: the leftmost 160 bits of SHA-256 of the public key's bits. */
async function keyId(key: CryptoKey): Promise<Uint8Array> {
  const point = await crypto.subtle.exportKey("raw", key);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", point)).subarray(0, 20);
}

function extension(oid: string, value: Der, critical?: "critical"): Der {
  const flag = critical === undefined ? [] : [boolean(true)];
  return sequence(objectId(oid), ...flag, octetString(value));
}

function generalName(text: string): Der {
  if (isIPv4(text) || isIPv6(text)) {
    return context(IP_ADDRESS, PRIMITIVE, parseAddress(text) ?? new Uint8Array());
  }
  return context(DNS_NAME, PRIMITIVE, new TextEncoder().encode(text));
}

/** permittedSubtrees only: for a kind of name that is listed here, nothing else is allowed. */
function nameConstraints({ domains, networks }: NameLimits): Der {
  const trees = [
    ...domains.map((domain) => context(DNS_NAME, PRIMITIVE, new TextEncoder().encode(domain))),
    ...networks.map((network) => context(IP_ADDRESS, PRIMITIVE, addressAndMask(network))),
  ];
  return sequence(context(0, CONSTRUCTED, ...trees.map((tree) => sequence(tree))));
}

function addressAndMask(text: string): Uint8Array {
  const network = parseNetwork(text);
  if (network === undefined) throw new TypeError(`Cannot limit names to ${text}: it is no network`);
  const { bytes, prefix } = network;
  const mask = bytes.map((_, i) => (0xff << (8 - Math.min(8, Math.max(0, prefix - 8 * i)))) & 0xff);
  const [base = ""] = formatNetwork(network).split("/");
  return Uint8Array.of(...(parseAddress(base) ?? []), ...mask);
}
