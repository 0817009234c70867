/**
 * @core
 * The file of `wg-quick` (wg-quick(8), wg(8)): what a profile has in common with it, both ways.
 * The core's contract: text in, settings and warnings out, or what is wrong and in which line.
 */
import type { Profile } from "./profile.ts";

/** What a file says. Keys are base64 as they stand there. */
export interface WgQuick {
  readonly privateKey: string;
  readonly addresses: readonly string[];
  readonly dns: readonly string[];
  readonly mtu?: number;
  readonly serverKey: string;
  readonly presharedKey?: string;
  readonly endpoint: string;
  readonly allowedIps: readonly string[];
  readonly persistentKeepalive?: number;
}

/** What {@linkcode parseWgQuick} found. */
export type WgQuickParsed =
  | {
    readonly ok: true;
    readonly config: WgQuick;
    /** What the file says and a profile can't, each with its line and why. */
    readonly warnings: readonly string[];
  }
  | { readonly ok: false; readonly problem: string };

/** Largest file that is read. */
export const LARGEST_WG_QUICK = 64 * 1024;

/** Most peers of a file. */
const MOST_PEERS = 1000;

const KEY = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;

/** A preshared key of zeros is none (wg(8)). */
const NO_KEY = `${"A".repeat(43)}=`;

/** What wg-quick(8) knows and a profile doesn't, with the reason. */
const FOREIGN: Readonly<Record<string, string>> = {
  listenport: "the gateway chooses its port",
  fwmark: "the gateway marks no packets for a profile",
  table: "the gateway makes its own routes",
  preup: "a profile runs no commands",
  postup: "a profile runs no commands",
  predown: "a profile runs no commands",
  postdown: "a profile runs no commands",
  saveconfig: "only its issuer writes a profile",
};

/**
 * Reads a file with one interface and one peer. Of several peers, `peer` names one: its number from
 * 1, or its public key.
 */
export function parseWgQuick(text: string, options: { peer?: string } = {}): WgQuickParsed {
  if (text.length > LARGEST_WG_QUICK) return { ok: false, problem: "the file is too large" };
  const own = new Section(0);
  const peers: Section[] = [];
  let current: Section | undefined;
  for (const [index, whole] of text.split(/\r?\n/).entries()) {
    const line = whole.replace(/#.*/, "").trim();
    if (line === "") continue;
    const at = `line ${index + 1}`;
    const section = /^\[(\w+)\]$/.exec(line)?.[1]?.toLowerCase();
    if (section !== undefined) {
      if (section !== "interface" && section !== "peer") {
        return { ok: false, problem: `${at}: expected [Interface] or [Peer]` };
      }
      if (section === "peer") peers.push(new Section(index + 1));
      if (peers.length > MOST_PEERS) return { ok: false, problem: `${at}: too many peers` };
      current = section === "peer" ? peers.at(-1) : own;
      continue;
    }
    const [, key, value] = /^(\w+)\s*=\s*(.*)$/.exec(line) ?? [];
    if (key === undefined || value === undefined || current === undefined) {
      return { ok: false, problem: `${at}: expected Key = Value in a section` };
    }
    current.add({ key, value, line: index + 1 });
  }
  const peer = choosePeer(peers, options.peer);
  if (typeof peer === "string") return { ok: false, problem: peer };
  return assemble({ interface: own, peer, others: peers.filter((one) => one !== peer) });
}

/** What a profile says and such a file can't, in words. */
export function lostInWgQuick(profile: Profile): string[] {
  const { server, destinations, identity } = profile;
  const others = server.endpoints.slice(1);
  return [
    ...(others.length === 0 ? [] : [`further endpoints (${others.join(", ")})`]),
    ...(destinations.domains.length === 0
      ? []
      : [`destinations by name (${destinations.domains.join(", ")})`]),
    ...(profile.otherTraffic === "drop"
      ? ["that other traffic is dropped: wg-quick lets it go direct"]
      : []),
    ...(profile.inbound === undefined || profile.inbound.length === 0
      ? []
      : [`what the inside may begin (${profile.inbound.join(", ")})`]),
    `that it expires (${new Date(profile.expiresAt * 1000).toISOString()})`,
    `whose it is (${profile.user.id}, ${profile.clientId} at ${profile.serverId})`,
    ...(identity.kind === "on-card" ? ["the private key, which is on the card only"] : []),
  ];
}

/** What a profile and such a file have in common. */
export function wgQuickOf(
  profile: Profile,
  keys: { privateKey: Uint8Array; presharedKey?: Uint8Array | undefined },
): WgQuick {
  const { tunnel, server, destinations } = profile;
  const { mtu } = tunnel;
  const { persistentKeepalive } = server;
  return {
    privateKey: keys.privateKey.toBase64(),
    addresses: tunnel.addresses,
    dns: tunnel.dns,
    ...(mtu === undefined ? {} : { mtu }),
    serverKey: server.publicKey,
    ...(keys.presharedKey === undefined ? {} : { presharedKey: keys.presharedKey.toBase64() }),
    endpoint: server.endpoints[0] ?? "",
    allowedIps: destinations.networks,
    ...(persistentKeepalive === undefined ? {} : { persistentKeepalive }),
  };
}

/** Writes a file. */
export function formatWgQuick(config: WgQuick): string {
  const line = (key: string, value: string | number | undefined) =>
    value === undefined || value === "" ? [] : [`${key} = ${value}`];
  return [
    "[Interface]",
    ...line("PrivateKey", config.privateKey),
    ...line("Address", config.addresses.join(", ")),
    ...line("DNS", config.dns.join(", ")),
    ...line("MTU", config.mtu),
    "",
    "[Peer]",
    ...line("PublicKey", config.serverKey),
    ...line("PresharedKey", config.presharedKey),
    ...line("Endpoint", config.endpoint),
    ...line("AllowedIPs", config.allowedIps.join(", ")),
    ...line("PersistentKeepalive", config.persistentKeepalive),
    "",
  ].join("\n");
}

interface Entry {
  readonly key: string;
  readonly value: string;
  readonly line: number;
}

class Section {
  /** Where it begins. */
  readonly line: number;
  readonly #values = new Map<string, Entry[]>();

  constructor(line: number) {
    this.line = line;
  }

  add(entry: Entry): void {
    const name = entry.key.toLowerCase();
    const entries = this.#values.get(name) ?? [];
    entries.push(entry);
    this.#values.set(name, entries);
  }

  /** Without taking it. */
  peek(key: string): string | undefined {
    return this.#values.get(key)?.at(-1)?.value;
  }

  /** The last value, as wg takes it. */
  one(key: string): string | undefined {
    return this.#take(key).at(-1)?.value;
  }

  /** Every item of every line, with its line. */
  list(key: string): { item: string; line: number }[] {
    return this.#take(key).flatMap(({ value, line }) =>
      value.split(",").map((item) => ({ item: item.trim(), line }))
    ).filter(({ item }) => item !== "");
  }

  /** What nobody asked for. */
  rest(): Entry[] {
    return [...this.#values.values()].flat();
  }

  #take(key: string): Entry[] {
    const values = this.#values.get(key);
    this.#values.delete(key);
    return values ?? [];
  }
}

function choosePeer(peers: readonly Section[], wanted: string | undefined): Section | string {
  const [first, second] = peers;
  if (first === undefined) return new Section(0);
  if (wanted === undefined) {
    return second === undefined
      ? first
      : `line ${second.line}: a profile has one server, this is a second peer; choose one of the ` +
        `${peers.length} (--peer NUMBER or its PublicKey)`;
  }
  const chosen = peers.find((peer) => peer.peek("publickey") === wanted) ??
    (/^[1-9]\d{0,3}$/.test(wanted) ? peers[Number(wanted) - 1] : undefined);
  return chosen ?? `there is no peer ${wanted}: it has ${peers.length}`;
}

function assemble(
  sections: { interface: Section; peer: Section; others: readonly Section[] },
): WgQuickParsed {
  const { interface: own, peer, others } = sections;
  const fail = (problem: string): WgQuickParsed => ({ ok: false, problem });
  const privateKey = own.one("privatekey");
  const serverKey = peer.one("publickey");
  const psk = peer.one("presharedkey");
  const presharedKey = psk === NO_KEY ? undefined : psk;
  const endpoint = peer.one("endpoint");
  if (privateKey === undefined || !KEY.test(privateKey)) {
    return fail("[Interface] PrivateKey: expected 32 bytes in base64");
  }
  if (serverKey === undefined || !KEY.test(serverKey)) {
    return fail("[Peer] PublicKey: expected 32 bytes in base64");
  }
  if (presharedKey !== undefined && !KEY.test(presharedKey)) {
    return fail("[Peer] PresharedKey: expected 32 bytes in base64");
  }
  if (endpoint === undefined) return fail("[Peer] Endpoint: expected host:port");
  const keepalive = peer.one("persistentkeepalive");
  const mtu = own.one("mtu");
  const numbers = {
    mtu: number(mtu),
    keepalive: keepalive?.toLowerCase() === "off" ? 0 : number(keepalive),
  };
  if (numbers.mtu === "wrong") return fail("[Interface] MTU: expected a number");
  if (numbers.keepalive === "wrong") return fail("[Peer] PersistentKeepalive: expected seconds");
  const names = own.list("dns");
  const isServer = (name: string) => /^[0-9.]+$/.test(name) || name.includes(":");
  const items = (entries: readonly { item: string }[]) => entries.map(({ item }) => item);
  const config: WgQuick = {
    privateKey,
    addresses: items(own.list("address")).map(withLength),
    dns: items(names).filter(isServer),
    ...(numbers.mtu === undefined ? {} : { mtu: numbers.mtu }),
    serverKey,
    ...(presharedKey === undefined ? {} : { presharedKey }),
    endpoint,
    allowedIps: items(peer.list("allowedips")).map(withLength),
    ...(numbers.keepalive === undefined ? {} : { persistentKeepalive: numbers.keepalive }),
  };
  const warnings = [
    ...names.filter(({ item }) => !isServer(item)).map(({ item, line }) => ({
      line,
      text: `DNS search domain ${item} is left out: a profile names servers only`,
    })),
    ...[...own.rest(), ...peer.rest()].map(({ key, line }) => ({
      line,
      text: `${key} is left out: ${FOREIGN[key.toLowerCase()] ?? "it is not known here"}`,
    })),
    ...others.map((other) => ({
      line: other.line,
      text: `peer ${other.peek("publickey") ?? "without a key"} is left out: another was chosen`,
    })),
  ].sort((a, b) => a.line - b.line);
  return { ok: true, config, warnings: warnings.map(({ line, text }) => `line ${line}: ${text}`) };
}

function number(text: string | undefined): number | undefined | "wrong" {
  if (text === undefined) return undefined;
  return /^\d{1,5}$/.test(text) ? Number(text) : "wrong";
}

/** A bare address means that address alone. */
function withLength(address: string): string {
  if (address.includes("/")) return address;
  return `${address}/${address.includes(":") ? 128 : 32}`;
}
