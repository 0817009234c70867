/** Many made-up clients of one interface: each has a key, an address inside and one outside. */
import { bestCrypto } from "../../../tunnel/protocol/native.ts";
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
export async function peersText(count: number): Promise<string> {
  const crypto = await bestCrypto();
  const publicKeyOf = (index: number) => {
    const publicKey = new Uint8Array(32);
    crypto.publicKey(publicKey, clientPrivateKey(index));
    return publicKey;
  };
  return Array.from({ length: count }, (_, index) => {
    const inside = insideAddress(index);
    const text = [inside >>> 24, inside >>> 16, inside >>> 8, inside].map((byte) => byte & 255);
    return `[Peer]
PublicKey = ${publicKeyOf(index).toBase64()}
AllowedIPs = ${text.join(".")}/32
`;
  }).join("");
}
