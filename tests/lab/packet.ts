/**
 * Captured packets as data: the pcap file format (draft-ietf-opsawg-pcap, nanosecond magic) and as
 * much of Ethernet, IPv4, IPv6, UDP, TCP and ICMP as it takes to say what a packet is.
 */
export interface Packet {
  /** Unix milliseconds, with the kernel's nanoseconds as fraction. */
  readonly at: number;
  readonly fromMac: string;
  readonly toMac: string;
  readonly kind: PacketKind;
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Bytes on the wire, headers included; may be a whole segmentation-offload batch. */
  readonly length: number;
  /** What follows the UDP or TCP header, as far as it was captured. */
  readonly payload: Uint8Array;
}

/** `neighbour`: ARP, IPv6 neighbour and router discovery, MLD: what a host says to its own link. */
export type PacketKind = "neighbour" | "udp" | "tcp" | "icmp" | "other-ip" | "other";

const GLOBAL_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const MAGIC_NANOSECONDS = 0xa1b23c4d;
/** MLD (130–132, 143) and neighbour discovery (133–137): RFC 2710, 3810, 4861. */
const LINK_ICMP6 = new Set([130, 131, 132, 133, 134, 135, 136, 137, 143]);

/**
 * The packets of a capture file that tcpdump may still be writing: a record that is not whole yet
 * is left out.
 * @throws {TypeError} when the file is not little-endian nanosecond pcap of Ethernet.
 */
export function parseCapture(file: Uint8Array): Packet[] {
  const packets: Packet[] = [];
  if (file.length < GLOBAL_HEADER_BYTES) return packets;
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (view.getUint32(0, true) !== MAGIC_NANOSECONDS || view.getUint32(20, true) !== 1) {
    throw new TypeError("Cannot read capture: it is not a nanosecond pcap of Ethernet");
  }
  for (let at = GLOBAL_HEADER_BYTES; at + RECORD_HEADER_BYTES <= file.length;) {
    const seconds = view.getUint32(at, true);
    const nanoseconds = view.getUint32(at + 4, true);
    const captured = view.getUint32(at + 8, true);
    const length = view.getUint32(at + 12, true);
    const start = at + RECORD_HEADER_BYTES;
    if (start + captured > file.length) break;
    const frame = file.subarray(start, start + captured);
    packets.push({ at: seconds * 1000 + nanoseconds / 1e6, length, ...parseFrame(frame) });
    at = start + captured;
  }
  return packets;
}

/** One line for a report. */
export function describePacket(packet: Packet): string {
  const { kind, source, destination, sourcePort, destinationPort, length } = packet;
  const from = sourcePort === 0 ? source : `${source}#${sourcePort}`;
  const to = destinationPort === 0 ? destination : `${destination}#${destinationPort}`;
  return `${kind} ${from} > ${to} ${length} bytes`;
}

type Frame = Omit<Packet, "at" | "length">;

function parseFrame(frame: Uint8Array): Frame {
  const toMac = mac(frame.subarray(0, 6));
  const fromMac = mac(frame.subarray(6, 12));
  const type = uint16(frame, 12);
  const unknown: Frame = {
    fromMac,
    toMac,
    kind: type === 0x0806 ? "neighbour" : "other",
    source: fromMac,
    destination: toMac,
    sourcePort: 0,
    destinationPort: 0,
    payload: frame.subarray(14),
  };
  if (type === 0x0800 && frame.length >= 34) {
    return { ...unknown, ...parseIpv4(frame.subarray(14)) };
  }
  if (type === 0x86dd && frame.length >= 54) {
    return { ...unknown, ...parseIpv6(frame.subarray(14)) };
  }
  return unknown;
}

function parseIpv4(ip: Uint8Array): Partial<Frame> {
  const header = (byte(ip, 0) & 0x0f) * 4;
  const source = [...ip.subarray(12, 16)].join(".");
  const destination = [...ip.subarray(16, 20)].join(".");
  return { source, destination, ...parseTransport(byte(ip, 9), ip.subarray(header)) };
}

function parseIpv6(ip: Uint8Array): Partial<Frame> {
  const addresses = { source: ipv6(ip.subarray(8, 24)), destination: ipv6(ip.subarray(24, 40)) };
  let next = byte(ip, 6);
  let rest = ip.subarray(40);
  // Hop-by-hop options come before MLD reports (RFC 8200 section 4.3).
  if (next === 0) {
    next = byte(rest, 0);
    rest = rest.subarray((byte(rest, 1) + 1) * 8);
  }
  if (next === 58 && LINK_ICMP6.has(byte(rest, 0))) {
    return { ...addresses, kind: "neighbour", payload: rest };
  }
  return { ...addresses, ...parseTransport(next, rest) };
}

function parseTransport(protocol: number, rest: Uint8Array): Partial<Frame> {
  const ports = { sourcePort: uint16(rest, 0), destinationPort: uint16(rest, 2) };
  if (protocol === 17) return { kind: "udp", ...ports, payload: rest.subarray(8) };
  if (protocol === 6) {
    return { kind: "tcp", ...ports, payload: rest.subarray((byte(rest, 12) >> 4) * 4) };
  }
  return { kind: protocol === 1 || protocol === 58 ? "icmp" : "other-ip", payload: rest };
}

function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

function uint16(bytes: Uint8Array, at: number): number {
  return byte(bytes, at) << 8 | byte(bytes, at + 1);
}

function mac(bytes: Uint8Array): string {
  return [...bytes].map((value) => value.toString(16).padStart(2, "0")).join(":");
}

/** RFC 5952: lower case, the longest run of zero groups shortened. */
function ipv6(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, i) => uint16(bytes, i * 2).toString(16));
  const text = groups.join(":");
  const runs = [...text.matchAll(/(?:^|:)0(?::0)+(?:$|(?=:))/g)].map((match) => match[0]);
  const longest = runs.reduce((a, b) => b.length > a.length ? b : a, "");
  if (longest === "") return text;
  return text.replace(longest, ":").replace(/^:(?!:)/, "::").replace(/(?<!:):$/, "::");
}
