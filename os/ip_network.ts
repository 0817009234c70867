/** IPv4 and IPv6 addresses and networks as text and bytes. No I/O. */

/** Four numbers of at most 255 without leading zeros. */
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
const IPV6_CHARACTERS = /^[\da-f:.]+$/i;

/** An address with a prefix length: a network, or an interface's own address in one. */
export interface IpNetwork {
  readonly family: 4 | 6;
  /** 4 or 16 bytes, host bits as given. */
  readonly bytes: Uint8Array;
  readonly prefix: number;
}

/** "10.0.0.1", "10.0.0.0/8", "fd00::/8"; undefined for anything else (no zones, no names). */
export function parseNetwork(text: string): IpNetwork | undefined {
  const [address = "", length, ...rest] = text.split("/");
  const bytes = parseAddress(address);
  if (bytes === undefined || rest.length > 0) return undefined;
  const family = bytes.length === 4 ? 4 : 6;
  const most = bytes.length * 8;
  if (length === undefined) return { family, bytes, prefix: most };
  const prefix = /^(0|[1-9]\d{0,2})$/.test(length) ? Number(length) : NaN;
  return prefix <= most ? { family, bytes, prefix } : undefined;
}

/** The bytes of an address without prefix length or zone. */
export function parseAddress(text: string): Uint8Array | undefined {
  if (IPV4.test(text)) return Uint8Array.from(text.split("."), Number);
  // The URL parser knows IPv6; node:net does too, but brings 6 MB of other things with it.
  if (!IPV6_CHARACTERS.test(text) || !URL.canParse(`http://[${text}]/`)) return undefined;
  const [head = "", tail] = dottedAsHex(text).split("::");
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const filled = [...before, ...Array(8 - before.length - after.length).fill(0), ...after];
  return Uint8Array.from(filled.flatMap((group) => [group >> 8, group & 255]));
}

/** The address in its canonical text (RFC 5952 for IPv6). */
export function formatAddress(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const hex = Array.from({ length: 8 }, (_, i) => {
    return (((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)).toString(16);
  });
  return new URL(`http://[${hex.join(":")}]/`).hostname.slice(1, -1);
}

/** The network with its host bits cleared: "10.0.0.0/8"; a single host has no prefix length. */
export function formatNetwork(network: IpNetwork): string {
  const address = formatAddress(masked(network));
  return network.prefix === network.bytes.length * 8 ? address : `${address}/${network.prefix}`;
}

/** The bits that a prefix length keeps, as bytes: 255.255.255.0 for an IPv4 /24. */
export function maskOf({ bytes, prefix }: IpNetwork): Uint8Array {
  return bytes.map((_, i) => (0xff << (8 - Math.min(8, Math.max(0, prefix - 8 * i)))) & 0xff);
}

/** Whether nothing is set behind the prefix: a network, and no address in one. */
export function hasNoHostBits(network: IpNetwork): boolean {
  return masked(network).every((byte, i) => byte === network.bytes[i]);
}

/** Whether every address of `inner` is in `outer`. */
export function contains(outer: IpNetwork, inner: IpNetwork): boolean {
  if (outer.family !== inner.family || outer.prefix > inner.prefix) return false;
  const cut = masked({ ...inner, prefix: outer.prefix });
  return masked(outer).every((byte, i) => byte === cut[i]);
}

/** The same addresses with no network inside another, in the order given. */
export function withoutOverlaps(networks: readonly IpNetwork[]): IpNetwork[] {
  // Sorted by first address and then the widest first, a network lies inside the last one kept or in none.
  const sorted = networks.map((network) => ({ network, key: sortKey(network) }))
    .sort((a, b) => a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
  const kept = new Set<IpNetwork>();
  let last: IpNetwork | undefined;
  for (const { network } of sorted) {
    if (last !== undefined && contains(last, network)) continue;
    kept.add(network);
    last = network;
  }
  return networks.filter((network) => kept.has(network));
}

function sortKey(network: IpNetwork): string {
  return `${network.family} ${masked(network).toHex()} ${String(network.prefix).padStart(3, "0")}`;
}

function masked(network: IpNetwork): Uint8Array {
  const mask = maskOf(network);
  return network.bytes.map((byte, i) => byte & (mask[i] ?? 0));
}

function groups(text: string): number[] {
  return text === "" ? [] : text.split(":").map((group) => parseInt(group, 16));
}

/** "::ffff:1.2.3.4" as "::ffff:102:304". */
function dottedAsHex(text: string): string {
  const at = text.lastIndexOf(":") + 1;
  if (!text.includes(".")) return text;
  const [a = 0, b = 0, c = 0, d = 0] = text.slice(at).split(".").map(Number);
  return `${text.slice(0, at)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
}
