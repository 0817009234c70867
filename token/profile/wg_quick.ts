/**
 * @core
 * The file of `wg-quick` (wg-quick(8), wg(8)): what a profile has in common with it, both ways.
 * The core's contract: text in, settings and warnings out, or what is wrong and in which line.
 */

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
  | { readonly ok: true; readonly config: WgQuick; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly problem: string };

/** Largest file that is read. */
export const LARGEST_WG_QUICK = 64 * 1024;

const KEY = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;

/** Reads a file with one interface and one peer. */
export function parseWgQuick(text: string): WgQuickParsed {
  if (text.length > LARGEST_WG_QUICK) return { ok: false, problem: "the file is too large" };
  const sections = { interface: new Section(), peer: new Section() };
  let current: Section | undefined;
  let peers = 0;
  for (const [index, whole] of text.split(/\r?\n/).entries()) {
    const line = whole.replace(/#.*/, "").trim();
    if (line === "") continue;
    const at = `line ${index + 1}`;
    const section = /^\[(\w+)\]$/.exec(line)?.[1]?.toLowerCase();
    if (section !== undefined) {
      if (section !== "interface" && section !== "peer") {
        return { ok: false, problem: `${at}: expected [Interface] or [Peer]` };
      }
      if (section === "peer" && ++peers > 1) {
        return { ok: false, problem: `${at}: a profile has one server, this is a second peer` };
      }
      current = sections[section];
      continue;
    }
    const [, key, value] = /^(\w+)\s*=\s*(.*)$/.exec(line) ?? [];
    if (key === undefined || value === undefined || current === undefined) {
      return { ok: false, problem: `${at}: expected Key = Value in a section` };
    }
    current.add(key.toLowerCase(), value);
  }
  return assemble(sections);
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

class Section {
  readonly #values = new Map<string, string[]>();

  add(key: string, value: string): void {
    const values = this.#values.get(key) ?? [];
    values.push(value);
    this.#values.set(key, values);
  }

  /** The last value, as wg takes it. */
  one(key: string): string | undefined {
    return this.#take(key)?.at(-1);
  }

  /** Every item of every line. */
  list(key: string): string[] {
    const items = this.#take(key)?.flatMap((line) => line.split(",")) ?? [];
    return items.map((item) => item.trim()).filter((item) => item !== "");
  }

  /** Keys that nobody asked for. */
  rest(): string[] {
    return [...this.#values.keys()];
  }

  #take(key: string): string[] | undefined {
    const values = this.#values.get(key);
    this.#values.delete(key);
    return values;
  }
}

function assemble(sections: { interface: Section; peer: Section }): WgQuickParsed {
  const { interface: own, peer } = sections;
  const fail = (problem: string): WgQuickParsed => ({ ok: false, problem });
  const privateKey = own.one("privatekey");
  const serverKey = peer.one("publickey");
  const presharedKey = peer.one("presharedkey");
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
  const numbers = { mtu: number(mtu), keepalive: keepalive === "off" ? 0 : number(keepalive) };
  if (numbers.mtu === "wrong") return fail("[Interface] MTU: expected a number");
  if (numbers.keepalive === "wrong") return fail("[Peer] PersistentKeepalive: expected seconds");
  const names = own.list("dns");
  const dns = names.filter((name) => /^[0-9.]+$/.test(name) || name.includes(":"));
  const warnings = names.filter((name) => !dns.includes(name))
    .map((name) => `DNS search domain ${name} is left out`);
  const config: WgQuick = {
    privateKey,
    addresses: own.list("address").map(withLength),
    dns,
    ...(numbers.mtu === undefined ? {} : { mtu: numbers.mtu }),
    serverKey,
    ...(presharedKey === undefined ? {} : { presharedKey }),
    endpoint,
    allowedIps: peer.list("allowedips").map(withLength),
    ...(numbers.keepalive === undefined ? {} : { persistentKeepalive: numbers.keepalive }),
  };
  for (const key of [...own.rest(), ...peer.rest()]) warnings.push(`${key} is left out`);
  return { ok: true, config, warnings };
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
