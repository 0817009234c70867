/**
 * A reference model of devices that know each other: what each sent and to whom, which prefix is whose,
 * which number was used with which key. Everything that comes out of a device must be what the model
 * allows.
 */
import assert from "node:assert/strict";
import type { Crypto, TransportAead } from "./crypto.ts";
import type { PeerChange } from "./device.ts";
import { ipv4, ipv4Packet, type Node } from "./simulation.ts";

interface Entry {
  readonly word: number;
  readonly length: number;
  /** Public key, in base64: a device that changes its key is another peer. */
  readonly owner: string;
}

interface SentPacket {
  readonly bytes: Uint8Array;
  readonly from: Member;
  readonly to: Member;
}

/** A device and what the model knows of it. */
export interface Member {
  readonly node: Node;
  readonly address: string;
  readonly remote: boolean;
  /** Its allowed IPs as a list; the longest match wins. */
  table: Entry[];
}

export class Model {
  readonly members: Member[] = [];
  /** Every key that there ever was. */
  readonly #whose = new Map<string, Member>();
  readonly #packets = new Map<number, SentPacket>();
  readonly #arrived = new Set<number>();
  readonly #nonces = new Set<string>();
  /** Keys of single handshake messages, which have one nonce only. */
  readonly #messageKeys = new Set<string>();
  #number = 0;

  /** The number of the next packet. */
  get next(): number {
    return this.#number;
  }

  /** Packets that had a way. */
  get sent(): number {
    return this.#packets.size;
  }

  get delivered(): number {
    return this.#arrived.size;
  }

  join(node: Node, { address, remote }: { address: string; remote: boolean }): void {
    const member: Member = { node, address, remote, table: [] };
    this.members.push(member);
    this.isNow(member);
  }

  /** `member` has the public key that its device has now; what came under older ones is its own too. */
  isNow(member: Member): void {
    this.#whose.set(member.node.publicKey.toBase64(), member);
  }

  othersOf(member: Member): Member[] {
    return this.members.filter((other) => other !== member);
  }

  hasArrived(number: number): boolean {
    return this.#arrived.has(number);
  }

  /** Sends the next packet, and holds its routing to the model's. */
  send(
    from: Member,
    { source, destination, length }: { source: string; destination: string; length: number },
  ): void {
    const number = this.#number++;
    const packet = ipv4Packet(source, destination, { number, length });
    const owner = ownerOf(from, ipv4(destination));
    const { drops } = from.node.device;
    const before = drops.noRoute;
    const to = this.#whose.get(owner ?? "");
    if (to !== undefined) this.#packets.set(number, { bytes: packet, from, to });
    from.node.send(packet);
    assert.equal(drops.noRoute - before, owner === undefined ? 1 : 0, "routes as the model does");
  }

  /** Changes the device and the model alike. */
  configure(member: Member, other: Member, change: Omit<PeerChange, "publicKey">): void {
    const publicKey = other.node.publicKey.slice();
    const owner = publicKey.toBase64();
    member.node.configure({ peers: [{ publicKey, ...change }] });
    if (change.remove === true || change.replaceAllowedIps === true) {
      member.table = member.table.filter((entry) => entry.owner !== owner);
    }
    for (const { words, length } of change.removeAllowedIps ?? []) {
      member.table = member.table.filter((entry) => {
        return entry.owner !== owner || entry.word !== words[0] || entry.length !== length;
      });
    }
    for (const { words, length } of change.allowedIps ?? []) {
      const word = words[0] ?? 0;
      member.table = member.table.filter((entry) => entry.word !== word || entry.length !== length);
      member.table.push({ word, length, owner });
    }
  }

  /** A peer under an old key goes, with what was its own. */
  forget(member: Member, publicKey: Uint8Array): void {
    member.node.configure({ peers: [{ publicKey, remove: true }] });
    member.table = member.table.filter(({ owner }) => owner !== publicKey.toBase64());
  }

  /** Everything that came out since the last time. */
  check(): void {
    for (const member of this.members) {
      for (const packet of member.node.received.splice(0)) this.#checkPacket(member, packet);
    }
  }

  #checkPacket(member: Member, bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer);
    const number = view.getUint32(20);
    const sent = this.#packets.get(number);
    assert.ok(sent !== undefined, `packet ${number} was never sent`);
    assert.deepEqual(bytes, sent.bytes, `packet ${number} came out as it went in`);
    assert.equal(sent.to, member, `packet ${number} came to whom it was for`);
    assert.ok(!this.#arrived.has(number), `packet ${number} came twice`);
    this.#arrived.add(number);
    const owner = this.#whose.get(ownerOf(member, view.getUint32(12)) ?? "");
    assert.equal(owner, sent.from, `packet ${number} came from an address of its sender`);
  }

  /** `crypto`, but it throws when a key seals two things with one number. */
  observed(crypto: Crypto): Crypto {
    return {
      ...crypto,
      seal: (out, key, plaintext, ad) => {
        const name = key.toHex();
        assert.ok(!this.#messageKeys.has(name), "the key of a message was used twice");
        this.#messageKeys.add(name);
        crypto.seal(out, key, plaintext, ad);
      },
      transport: (arena) => this.#observedAead(crypto.transport(arena)),
    };
  }

  #observedAead(aead: TransportAead): TransportAead {
    return {
      seal: (key, counter, offset, length) => {
        const nonce = `${key.toHex()} ${counter}`;
        assert.ok(!this.#nonces.has(nonce), `nonce ${counter} was used twice with one key`);
        assert.ok(key.some((byte) => byte !== 0), "nothing is sealed with a wiped key");
        this.#nonces.add(nonce);
        aead.seal(key, counter, offset, length);
      },
      open: (key, counter, offset, length) => aead.open(key, counter, offset, length),
      forget: () => aead.forget(),
    };
  }
}

/** The first `length` bits of an IPv4 address. */
export function prefixOf(address: string, length: number) {
  const word = (ipv4(address) & (-1 << (32 - length))) >>> 0;
  return { family: 4 as const, words: [word], length };
}

/** The reference for allowed IPs: a list searched from its longest prefix. */
function ownerOf(member: Member, word: number): string | undefined {
  let best: Entry | undefined;
  for (const entry of member.table) {
    const differs = ((word ^ entry.word) & (-1 << (32 - entry.length))) !== 0;
    if (!differs && (best === undefined || entry.length > best.length)) best = entry;
  }
  return best?.owner;
}
