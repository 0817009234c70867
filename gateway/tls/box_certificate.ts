/** The box's own authority and web certificate: made at the first start, renewed before they end. */
import { X509Certificate } from "node:crypto";
import { contains, formatNetwork, type IpNetwork, parseNetwork } from "../../os/ip_network.ts";
import type { GatewayConfig } from "../config/gateway_config.ts";
import { boxAddresses, boxNames } from "../lan/dns_plan.ts";
import type { BoxCertificate } from "./api.ts";
import {
  type CertificateFields,
  makeAuthority,
  makeServer,
  type NameLimits,
  privateKeyPem,
} from "./certificate.ts";

const DAY_MS = 86_400_000;
const AUTHORITY_DAYS = 3650;
/** Browsers refuse longer ones (Apple: 825 days under an authority that the owner installed). */
const SERVER_DAYS = 397;
/** An engine lives as long as its card stays in. */
const ENGINE_DAYS = 90;
/** A certificate with less than this left is made anew at the next start. */
const RENEW_DAYS = 60;
/** Terminals' clocks may be behind. */
const BACKDATE_DAYS = 1;

/** RFC 1918, RFC 4193, link-local; `internal` is the domain for private use (ICANN, 2024). */
const PRIVATE_NETWORKS = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10"];
const PRIVATE_DOMAIN = "internal";

export type CertificateConfig = Pick<
  GatewayConfig,
  "name" | "state" | "lan" | "panel" | "passkeys"
>;

/**
 * Reads or makes what lies in `tls/` of the state folder (0700, keys 0600). The authority stays as long
 * as it lasts and covers the LAN's addresses, so that terminals which trust it go on doing so.
 */
export async function boxCertificate(
  config: CertificateConfig,
  now: number = Date.now(),
): Promise<BoxCertificate> {
  const dir = `${config.state}/tls`;
  await Deno.mkdir(dir, { recursive: true, mode: 0o700 });
  const limits = limitsFor(config);
  const authority = await stored(dir, "authority", (found) => fits(found, { now, limits })) ??
    await newAuthority(dir, { config, limits, now });
  const names = [...boxNames(config), ...boxAddresses(config), ...panelHost(config)];
  const server = await stored(dir, "server", (found) => {
    return fits(found, { now, names }) && found.checkIssued(new X509Certificate(authority.pem));
  }) ?? await newServer(dir, { authority, names, now });
  return {
    authority: authority.pem,
    chain: server.pem + authority.pem,
    key: server.key,
    expires: Date.parse(new X509Certificate(server.pem).validTo),
  };
}

interface Pair {
  /** Certificate, PEM. */
  readonly pem: string;
  /** Private key, PKCS #8 in PEM. */
  readonly key: string;
}

/**
 * Vouches for the TLS end of an engine: a server certificate under the box's authority for a key
 * that this process never has. Gives the certificate and its authority, PEM.
 * @param publicKey SPKI of a P-256 key.
 */
export async function engineCertificate(
  config: CertificateConfig,
  publicKey: Uint8Array<ArrayBuffer>,
  now: number = Date.now(),
): Promise<string> {
  const dir = `${config.state}/tls`;
  const authority = await stored(dir, "authority", () => true);
  if (authority === undefined) {
    throw new Error("Cannot vouch for the engine: the box has no authority; restart the gateway");
  }
  const issuer = new X509Certificate(authority.pem);
  const names = [...boxNames(config), ...boxAddresses(config)];
  const certificate = await makeServer({
    ...dates(now, ENGINE_DAYS),
    subject: names[0] ?? PRIVATE_DOMAIN,
    issuer: issuer.subject.replace(/^CN=/, ""),
    publicKey: await crypto.subtle.importKey("spki", publicKey, P256, true, ["verify"]),
    issuerPublicKey: await importPublic(issuer),
    signer: await importPrivate(authority.key),
  }, names);
  return certificate + authority.pem;
}

async function newAuthority(
  dir: string,
  { config, limits, now }: { config: CertificateConfig; limits: NameLimits; now: number },
): Promise<Pair> {
  const keys = await newKeys();
  const subject = `Sekisho ${config.name} authority ${crypto.randomUUID().slice(0, 8)}`;
  const certificate = await makeAuthority(
    {
      ...dates(now, AUTHORITY_DAYS),
      subject,
      issuer: subject,
      publicKey: keys.publicKey,
      issuerPublicKey: keys.publicKey,
      signer: keys.privateKey,
    },
    limits,
  );
  return await save(dir, { file: "authority", certificate, key: keys.privateKey });
}

async function newServer(
  dir: string,
  { authority, names, now }: { authority: Pair; names: readonly string[]; now: number },
): Promise<Pair> {
  const issuer = new X509Certificate(authority.pem);
  const keys = await newKeys();
  const certificate = await makeServer(
    {
      ...dates(now, SERVER_DAYS),
      subject: names[0] ?? PRIVATE_DOMAIN,
      issuer: issuer.subject.replace(/^CN=/, ""),
      publicKey: keys.publicKey,
      issuerPublicKey: await importPublic(issuer),
      signer: await importPrivate(authority.key),
    },
    names,
  );
  return await save(dir, { file: "server", certificate, key: keys.privateKey });
}

/** The pair on disk if it is whole and good enough. */
async function stored(
  dir: string,
  file: string,
  isGood: (found: X509Certificate) => boolean,
): Promise<Pair | undefined> {
  try {
    const pair = {
      pem: await Deno.readTextFile(`${dir}/${file}.crt`),
      key: await Deno.readTextFile(`${dir}/${file}.key`),
    };
    const found = new X509Certificate(pair.pem);
    const ours = (await publicBytes(pair.key)).every((byte, i) => byte === rawPoint(found)[i]);
    return ours && isGood(found) ? pair : undefined;
  } catch {
    return undefined; // missing, cut or foreign: it is made anew
  }
}

function fits(
  found: X509Certificate,
  { now, names = [], limits }: { now: number; names?: readonly string[]; limits?: NameLimits },
): boolean {
  const lasts = Date.parse(found.validTo) - now > RENEW_DAYS * DAY_MS;
  const began = Date.parse(found.validFrom) <= now;
  const named = names.every((name) => found.checkHost(name) ?? found.checkIP(name));
  return lasts && began && named && (limits === undefined || allows(found, limits));
}

/** An authority covers the limits of now if it was made with the same: they are in it byte for byte. */
function allows(found: X509Certificate, { networks }: NameLimits): boolean {
  const raw = found.raw.toString("hex");
  return networks.every((text) => {
    const network = parseNetwork(text);
    if (network === undefined) return false;
    const prefix = network.prefix;
    const mask = network.bytes.map((_, i) =>
      (0xff << (8 - Math.min(8, Math.max(0, prefix - 8 * i)))) & 0xff
    );
    return raw.includes(network.bytes.map((b, i) => b & (mask[i] ?? 0)).toHex() + mask.toHex());
  });
}

/** Private names and addresses, and the LAN's own network where it isn't one of those. */
function limitsFor({ lan, panel }: CertificateConfig): NameLimits {
  const named = [lan.address, ...(lan.address6 === undefined ? [] : [lan.address6])];
  const own = [...named, ...panelHost({ lan, panel })]
    .map(parseNetwork).filter((network) => network !== undefined)
    .filter((network) =>
      !PRIVATE_NETWORKS.map(parseNetwork).some((outer) => outer && contains(outer, network))
    );
  return {
    domains: [PRIVATE_DOMAIN],
    networks: [...PRIVATE_NETWORKS, ...own.map(withPrefix)],
  };
}

/** A constraint on addresses has a mask, also for a single one (RFC 5280 section 4.2.1.10). */
function withPrefix(network: IpNetwork): string {
  const text = formatNetwork(network);
  return text.includes("/") ? text : `${text}/${network.prefix}`;
}

/** The panel may listen on an address of its own; a wildcard names none. */
function panelHost({ lan, panel }: Pick<CertificateConfig, "lan" | "panel">): string[] {
  const named = boxAddresses({ lan }).includes(panel.host);
  return named || panel.host === "0.0.0.0" || panel.host === "::" ? [] : [panel.host];
}

function dates(
  now: number,
  days: number,
): Pick<CertificateFields, "serial" | "notBefore" | "notAfter"> {
  return {
    serial: crypto.getRandomValues(new Uint8Array(16)),
    notBefore: now - BACKDATE_DAYS * DAY_MS,
    notAfter: now + days * DAY_MS,
  };
}

const P256 = { name: "ECDSA", namedCurve: "P-256" };

async function newKeys(): Promise<CryptoKeyPair> {
  return await crypto.subtle.generateKey(P256, true, ["sign", "verify"]);
}

async function exportPrivate(key: CryptoKey): Promise<ArrayBuffer> {
  return await crypto.subtle.exportKey("pkcs8", key);
}

async function importPrivate(key: string): Promise<CryptoKey> {
  return await crypto.subtle.importKey("pkcs8", fromPem(key), P256, true, ["sign"]);
}

async function importPublic(found: X509Certificate): Promise<CryptoKey> {
  return await crypto.subtle.importKey("raw", rawPoint(found), P256, true, ["verify"]);
}

/** The uncompressed point: the last 65 bytes of a P-256 SubjectPublicKeyInfo. */
function rawPoint(found: X509Certificate): Uint8Array<ArrayBuffer> {
  const der = found.publicKey.export({ type: "spki", format: "der" });
  return Uint8Array.from(der.subarray(-65));
}

/** The point that belongs to a private key: its PKCS #8 ends with it. */
async function publicBytes(key: string): Promise<Uint8Array> {
  await importPrivate(key);
  return fromPem(key).subarray(-65);
}

function fromPem(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromBase64(text.replace(/-----[^-]+-----|\s/g, ""));
}

/** Certificate last: a pair is only taken when both fit. */
async function save(
  dir: string,
  { file, certificate, key }: { file: string; certificate: string; key: CryptoKey },
): Promise<Pair> {
  const pair = { pem: certificate, key: privateKeyPem(await exportPrivate(key)) };
  await replace(`${dir}/${file}.key`, pair.key, 0o600);
  await replace(`${dir}/${file}.crt`, pair.pem, 0o644);
  return pair;
}

async function replace(path: string, text: string, mode: number): Promise<void> {
  await Deno.remove(`${path}.new`).catch(() => {});
  await Deno.writeTextFile(`${path}.new`, text, { mode, createNew: true });
  await Deno.rename(`${path}.new`, path);
}
