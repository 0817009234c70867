/** Many made-up clients of one interface: each has a key, an address inside and one outside. */
import { nobleCrypto } from "../../../tunnel/protocol/noble.ts";

/** Where the clients' machine has all its addresses, one for each client. */
export const OUTSIDE = "10.50.0.0/16";
const OUTSIDE_FIRST = 0x0a320000;
const INSIDE_FIRST = 0x0a640000;

/** Always the same key for the same number: these guard nothing. */
export function clientPrivateKey(index: number): Uint8Array {
  const key = new Uint8Array(32);
  nobleCrypto.hash(
    key,
    new TextEncoder().encode("client of a bench"),
    Uint8Array.of(index >> 8, index),
  );
  return key;
}

/** The address from which a client speaks, as a word. */
export function outsideAddress(index: number): number {
  return OUTSIDE_FIRST + index;
}

export function clientOfAddress(address: number): number {
  return address - OUTSIDE_FIRST;
}

/** The address that a client has inside, as a word. */
export function insideAddress(index: number): number {
  return INSIDE_FIRST + index;
}

/** What `wg addconf` is to read so that an interface knows the clients 0 to `count` - 1. */
export function peersText(count: number, publicKeyOf: (privateKey: Uint8Array) => Uint8Array) {
  return Array.from({ length: count }, (_, index) => {
    const inside = insideAddress(index);
    const text = [inside >>> 24, inside >>> 16, inside >>> 8, inside].map((byte) => byte & 255);
    return `[Peer]
PublicKey = ${publicKeyOf(clientPrivateKey(index)).toBase64()}
AllowedIPs = ${text.join(".")}/32
`;
  }).join("");
}
