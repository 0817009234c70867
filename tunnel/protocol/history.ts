/**
 * Random histories to hold the core to its model: packets lost, doubled, delayed, replayed and forged;
 * clocks that jump; sessions renewed; devices that roam or crash; keys, preshared keys, manual keys,
 * peers and allowed IPs that change. Everything follows from the seed.
 */
import assert from "node:assert/strict";
import type { Crypto } from "./crypto.ts";
import type { PeerChange } from "./device.ts";
import { TYPE_ANNOUNCEMENT } from "./manual_spec.ts";
import { type Member, Model, prefixOf } from "./model.ts";
import { type Datagram, endpointFromText, Simulation } from "./simulation.ts";
import { KEEPALIVE_TIMEOUT, REKEY_TIMEOUT } from "./spec.ts";

/** Virtual milliseconds within which every pair must speak again, once the wire is whole. */
export const CONVERGES_WITHIN = 30_000;

/**
 * After so many of speaking each is heard by all. One whose words reach nobody, since a straggler made
 * the other side give up its session, is missed when silence has lasted so long (section 6.5), and called
 * once REKEY_TIMEOUT allows it.
 */
const HEARD_BY_ALL = KEEPALIVE_TIMEOUT + REKEY_TIMEOUT + REKEY_TIMEOUT + 2_000;

/** Milliseconds that a doubled datagram may come late. */
const LONGEST_DELAY = 10_000;

export interface HistoryResult {
  readonly sent: number;
  readonly delivered: number;
  readonly handshakes: number;
  /** Virtual milliseconds until every pair had spoken after the wire was whole. */
  readonly converged: number;
}

/** Plays one history of `steps` events and throws AssertionError at the first broken promise. */
export function playHistory(
  crypto: Crypto,
  options: { seed: number; devices: number; steps: number; manual?: boolean },
): HistoryResult {
  return new History(crypto, options).play(options.steps);
}

class History {
  readonly #model = new Model();
  readonly #simulation: Simulation;
  /** Whether pairs have manual keys, and which; by both addresses, the smaller first. */
  readonly #manual: boolean;
  /**
   * Whether devices crash. Not where pairs shake hands, also: after a crash and a clock that went back,
   * WireGuard waits until the clock is where it was.
   */
  readonly #restarts: boolean;
  readonly #manualKeys = new Map<string, Uint8Array>();
  readonly #later: { at: number; action: () => void }[] = [];
  #ports = 1000;
  #badness = 30;

  constructor(
    crypto: Crypto,
    { seed, devices, manual = false }: { seed: number; devices: number; manual?: boolean },
  ) {
    this.#manual = manual;
    this.#restarts = manual && seed % 2 === 0;
    const simulation = new Simulation(this.#model.observed(crypto), seed * 7919);
    this.#simulation = simulation;
    simulation.wire = () => this.#fate();
    for (let index = 1; index <= devices; index++) {
      const remote = index === 2 && seed % 3 === 0 && !manual;
      const node = simulation.node(`192.0.2.${index}:1000`, { remote });
      this.#model.join(node, { address: `10.0.0.${index}`, remote });
    }
    for (const member of this.#model.members) {
      for (const other of this.#model.othersOf(member)) this.#addPeer(member, other);
    }
  }

  play(steps: number): HistoryResult {
    for (let step = 0; step < steps; step++) {
      this.#event();
      // Before anything changes: what came in was judged by the rules of its time.
      this.#model.check();
      this.#dueLater();
      this.#answerCards(70);
      this.#model.check();
    }
    const converged = this.#converge();
    return {
      sent: this.#model.sent,
      delivered: this.#model.delivered,
      handshakes: this.#model.members.reduce((sum, { node }) => {
        return sum + node.count("handshake-completed");
      }, 0),
      converged,
    };
  }

  /** One random event. */
  #event(): void {
    const member = this.#oneOf(this.#model.members);
    const other = this.#oneOf(this.#model.othersOf(member));
    const dice = this.#below(1000);
    if (dice < 600) this.#send(member, other);
    else if (dice < 800) this.#simulation.run(this.#below(300));
    else if (dice < 850) this.#simulation.run(this.#below(12_000));
    else if (dice < 858) this.#simulation.run(100_000 + this.#below(100_000));
    else if (dice < 860) this.#simulation.run(600_000);
    else if (dice < 900) this.#replay();
    else if (dice < 915) this.#forge();
    else if (dice < 925) this.#simulation.wallClock += this.#below(2_000_000_000) - 1_000_000_000;
    else if (dice < 935) this.#badness = this.#oneOf([0, 10, 30, 60, 100]);
    else if (dice < 945) this.#roam(member);
    else if (dice < 952) this.#movePrefix(member, other);
    else if (dice < 960) this.#changePresharedKey(member, other);
    else if (dice < 965) this.#changeKey(member);
    else if (dice < 972) this.#removePeer(member, other);
    else if (dice < 980) member.node.device.announce(this.#simulation.now);
    else if (dice < 990) {
      this.#model.configure(member, other, { persistentKeepalive: this.#oneOf([0, 1, 5, 25]) });
    } else if (dice < 994 && this.#restarts) this.#restart(member);
    else this.#addPeer(member, other);
  }

  #send(from: Member, to: Member): void {
    // Mostly as it should be; else an address that isn't the sender's, or a way that isn't there.
    const source = this.#below(10) === 0 ? this.#anyAddress() : from.address;
    const destination = this.#below(10) === 0 ? this.#anyAddress() : to.address;
    this.#sendFrom(from, { source, destination });
  }

  #sendFrom(from: Member, { source, destination }: { source: string; destination: string }): void {
    this.#model.send(from, { source, destination, length: 24 + this.#below(1396) });
  }

  /** Something that was on the wire comes once more, to anybody, from anywhere. */
  #replay(): void {
    const { sent } = this.#simulation;
    if (sent.length === 0) return;
    const first = this.#below(sent.length);
    const old = this.#oneOf(sent.slice(first, first + 1));
    const source = this.#below(2) === 0 ? old.from : this.#newEndpoint();
    const target = this.#below(4) === 0
      ? this.#oneOf(this.#model.members)
      : this.#model.members.find(({ node }) => node.endpoint.reaches(old.to));
    target?.node.receive(old.bytes, source);
    if (!this.#manual || old.bytes[0] !== TYPE_ANNOUNCEMENT) return;
    // And what followed it: its early packets.
    for (const { bytes } of sent.slice(first + 1, first + 8)) target?.node.receive(bytes, source);
  }

  /** Something that was on the wire comes changed. */
  #forge(): void {
    const { sent } = this.#simulation;
    if (sent.length === 0) return;
    const old = this.#oneOf(sent.slice(-20));
    const bytes = old.bytes.slice(0, old.bytes.length - (this.#below(3) === 0 ? 1 : 0));
    const at = this.#below(bytes.length);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << this.#below(8));
    this.#oneOf(this.#model.members).node.receive(bytes, this.#newEndpoint());
  }

  #roam(member: Member): void {
    member.node.endpoint = this.#newEndpoint();
  }

  #movePrefix(member: Member, to: Member): void {
    const length = this.#oneOf([8, 24, 29, 31, 32]);
    const prefix = prefixOf(this.#anyAddress(), length);
    const removes = this.#below(3) === 0;
    this.#model.configure(
      member,
      to,
      removes ? { removeAllowedIps: [prefix] } : {
        allowedIps: [prefix],
        ...(this.#below(4) === 0 ? { replaceAllowedIps: true } : {}),
      },
    );
  }

  /** Both sides get it, one of them later. */
  #changePresharedKey(member: Member, other: Member): void {
    if (this.#manual) return this.#changeManualKey(member, other);
    const presharedKey = this.#below(3) === 0 ? "none" as const : this.#bytes(32);
    this.#model.configure(member, other, { presharedKey });
    this.#inAWhile(() => this.#model.configure(other, member, { presharedKey }));
  }

  /** Likewise; without one the two shake hands. */
  #changeManualKey(member: Member, other: Member): void {
    const manualKey = this.#below(3) === 0 && !this.#restarts ? "none" as const : this.#bytes(32);
    const name = pairOf(member, other);
    if (manualKey === "none") this.#manualKeys.delete(name);
    else this.#manualKeys.set(name, manualKey);
    this.#model.configure(member, other, { manualKey });
    this.#inAWhile(() => this.#model.configure(other, member, { manualKey }));
  }

  #changeKey(member: Member): void {
    const { node } = member;
    const before = node.publicKey.slice();
    this.#simulation.random(node.privateKey);
    node.publicKey.set(node.publicKeyOf(node.privateKey));
    this.#model.isNow(member);
    node.configure({
      identity: member.remote
        ? { kind: "remote", publicKey: node.publicKey.slice(), concurrency: 1 }
        : { kind: "local", privateKey: node.privateKey },
    });
    for (const other of this.#model.othersOf(member)) {
      this.#inAWhile(() => {
        this.#model.forget(other, before);
        this.#addPeer(other, member);
      });
    }
  }

  #removePeer(member: Member, other: Member): void {
    this.#model.configure(member, other, { remove: true });
    this.#inAWhile(() => this.#addPeer(member, other));
  }

  /** It comes back with its keys, and with what its owner wrote down of announcements. */
  #restart(member: Member): void {
    const { node } = member;
    const taken = new Map<string, Uint8Array>();
    for (const event of node.events) {
      if (event.kind !== "announcement-taken") continue;
      taken.set(event.peer.publicKey.toBase64(), event.timestamp);
    }
    node.restart();
    member.table = [];
    for (const other of this.#model.othersOf(member)) {
      const newerThan = taken.get(other.node.publicKey.toBase64());
      this.#model.configure(member, other, {
        endpoint: other.node.endpoint,
        allowedIps: [prefixOf(other.address, 32)],
        ...this.#manualKeyOf(member, other),
        ...(newerThan === undefined ? {} : { newerThan }),
      });
    }
  }

  /** Without a preshared key, if the peer is new; with the whole of what belongs to it. */
  #addPeer(member: Member, other: Member): void {
    this.#model.configure(member, other, {
      endpoint: other.node.endpoint,
      allowedIps: [prefixOf(other.address, 32)],
      ...this.#manualKeyOf(member, other),
    });
  }

  #manualKeyOf(member: Member, other: Member): Pick<PeerChange, "manualKey"> {
    if (!this.#manual) return {};
    const name = pairOf(member, other);
    if (this.#model.next === 0 && !this.#manualKeys.has(name)) {
      this.#manualKeys.set(name, this.#bytes(32));
    }
    return { manualKey: this.#manualKeys.get(name) ?? "none" };
  }

  /**
   * Makes the wire whole and the configurations agree, and lets one of each two speak once a second;
   * returns when all are heard.
   */
  #converge(): number {
    this.#badness = 0;
    // A straggler may still move an endpoint back, and only its owner's next word would mend that.
    for (let second = 0; second <= LONGEST_DELAY / 1000; second++) this.#second();
    for (const { action } of this.#later.splice(0)) action();
    const silent = new Set<{ member: Member; other: Member }>();
    for (const [index, first] of this.#model.members.entries()) {
      for (const second of this.#model.members.slice(index + 1)) {
        // Only one of the two is told where the other is, and speaks: that one must be learnt, and
        // whatever it still holds of old sessions must not keep it from hearing.
        const [member, other] = this.#below(2) === 0 ? [first, second] : [second, first];
        this.#agree(member, other, true);
        this.#agree(other, member, false);
        silent.add({ member, other });
      }
    }
    const began = this.#simulation.now;
    while (silent.size > 0) {
      const waited = this.#simulation.now - began;
      assert.ok(waited <= CONVERGES_WITHIN, `${silent.size} of them still not heard`);
      const first = this.#model.next;
      const pairs = [...silent];
      for (const { member, other } of pairs) {
        this.#sendFrom(member, { source: member.address, destination: other.address });
      }
      this.#second();
      for (const [index, pair] of pairs.entries()) {
        if (this.#model.hasArrived(first + index)) silent.delete(pair);
      }
    }
    const converged = this.#simulation.now - began;
    this.#stays();
    return converged;
  }

  /** Nothing is lost any more, once all have spoken. */
  #stays(): void {
    for (let second = 0; second < HEARD_BY_ALL / 1000; second++) this.#everybodySpeaks();
    const first = this.#model.next;
    for (let second = 0; second < 5; second++) this.#everybodySpeaks();
    this.#second();
    for (let number = first; number < this.#model.next; number++) {
      assert.ok(this.#model.hasArrived(number), `packet ${number} was lost on a whole wire`);
    }
  }

  #everybodySpeaks(): void {
    for (const member of this.#model.members) {
      for (const other of this.#model.othersOf(member)) {
        this.#sendFrom(member, { source: member.address, destination: other.address });
      }
    }
    this.#second();
  }

  #agree(member: Member, other: Member, tellsWhere: boolean): void {
    this.#model.configure(member, other, {
      presharedKey: "none",
      replaceAllowedIps: true,
      ...this.#manualKeyOf(member, other),
      ...(tellsWhere ? { endpoint: other.node.endpoint } : {}),
    });
    this.#model.configure(member, other, { allowedIps: [prefixOf(other.address, 32)] });
  }

  #second(): void {
    for (let part = 0; part < 20; part++) {
      this.#simulation.run(50);
      this.#answerCards(100);
    }
    this.#model.check();
  }

  /** A card answers in its own time, and now and then fails. */
  #answerCards(percent: number): void {
    for (const { node, remote } of this.#model.members) {
      while (remote && node.dhRequests.length > 0 && this.#below(100) < percent) {
        node.answerDh(percent < 100 && this.#below(20) === 0);
      }
    }
  }

  #inAWhile(action: () => void): void {
    this.#later.push({ at: this.#simulation.now + this.#below(20_000), action });
  }

  #dueLater(): void {
    for (const later of [...this.#later]) {
      if (later.at > this.#simulation.now) continue;
      this.#later.splice(this.#later.indexOf(later), 1);
      later.action();
    }
  }

  /** What the wire does with a datagram. */
  #fate(): readonly number[] {
    const bad = this.#badness;
    if (bad === 0) return [1];
    if (this.#below(100) < bad) return [];
    const delays = [1 + this.#below(this.#oneOf([5, 100, 2000]))];
    if (this.#below(100) < bad) delays.push(1 + this.#below(LONGEST_DELAY));
    return delays;
  }

  #newEndpoint(): Datagram["from"] {
    return endpointFromText(`198.51.100.${this.#below(250)}:${++this.#ports % 65_536}`);
  }

  #anyAddress(): string {
    return `10.0.0.${this.#below(8)}`;
  }

  #bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.#simulation.random(bytes);
    return bytes;
  }

  #below(limit: number): number {
    return this.#simulation.randomBelow(limit);
  }

  #oneOf<Item>(items: readonly Item[]): Item {
    const item = items[this.#below(items.length)];
    if (item === undefined) throw new RangeError("Cannot choose: there is nothing to choose from");
    return item;
  }
}

function pairOf(a: Member, b: Member): string {
  return [a.address, b.address].sort().join(" ");
}
