/** Addresses of endpoints and allowed IPs, between text and the words that the core works on. */
import { formatAddress, parseAddress, parseNetwork } from "../os/ip_network.ts";
import { cString, libc } from "../os/libc.ts";
import type { Prefix } from "./protocol/allowed_ips.ts";
import { type Endpoint, endpointOf } from "./protocol/endpoint.ts";

/** `192.0.2.1:51820`, `[2001:db8::1]:51820`, `[fe80::1%eth0]:51820`; undefined for anything else. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const match = /^(?:\[([^\]%]+)(?:%([^\]]+))?\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  if (match === null) return undefined;
  const [, six, zone, four, portText] = match;
  const bytes = parseAddress(six ?? four ?? "");
  const port = Number(portText);
  const bracketed = six !== undefined;
  if (bytes === undefined || port > 65_535 || (bytes.length === 16) !== bracketed) return undefined;
  const scope = zone === undefined ? 0 : scopeOf(zone);
  if (scope === undefined) return undefined;
  const family = bytes.length === 4 ? 4 : 6;
  return endpointOf({ family, words: wordsOf(bytes), scope }, port);
}

export function formatEndpoint(endpoint: Endpoint): string {
  const { words, family, port } = endpoint;
  const address = formatAddress(bytesOf(words.subarray(1, family === 4 ? 2 : 5)));
  if (family === 4) return `${address}:${port}`;
  const scope = words[5] ?? 0;
  return `[${address}${scope === 0 ? "" : `%${scope}`}]:${port}`;
}

/** `10.0.0.0/8`; host bits are cleared. Undefined for anything else. */
export function parsePrefix(text: string): Prefix | undefined {
  const network = parseNetwork(text);
  if (network === undefined) return undefined;
  const { family, bytes, prefix } = network;
  const words = wordsOf(bytes);
  for (const index of words.keys()) {
    const bits = Math.min(32, Math.max(0, prefix - 32 * index));
    words[index] = bits === 0 ? 0 : (words[index] ?? 0) & (-1 << (32 - bits));
  }
  return { family, words, length: prefix };
}

/** With its length always, as `wg` shows it. */
export function formatPrefix(prefix: Prefix): string {
  return `${formatAddress(bytesOf(Uint32Array.from(prefix.words)))}/${prefix.length}`;
}

function wordsOf(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / 4 }, (_, index) => view.getUint32(index * 4));
}

function bytesOf(words: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(words.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [index, word] of words.entries()) view.setUint32(index * 4, word);
  return bytes;
}

/** Index of a zone: a number, or an interface's name. */
function scopeOf(zone: string): number | undefined {
  const index = /^\d+$/.test(zone) ? Number(zone) : libc.if_nametoindex(cString(zone));
  return index > 0 && index < 2 ** 31 ? index : undefined;
}
