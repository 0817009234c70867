/**
 * A WireGuard device as a pure core: datagrams, IP packets, answers of the identity and the time go
 * in; datagrams, IP packets, requests and events come out through `Outside`; `nextDeadline` says
 * when `tick` must be called. It has no clock, no randomness and no I/O of its own.
 */
import { Admission } from "./admission.ts";
import { AllowedIps, type Prefix } from "./allowed_ips.ts";
import { Announcements } from "./announcements.ts";
import { type Context, noDrops } from "./context.ts";
import { CookieGenerator } from "./cookie.ts";
import type { Crypto } from "./crypto.ts";
import type { Endpoint } from "./endpoint.ts";
import { Noise } from "./handshake.ts";
import { Handshakes } from "./handshakes.ts";
import { type CoreIdentity, IdentityQueue } from "./identity.ts";
import { Indices } from "./indices.ts";
import { Kdf } from "./kdf.ts";
import type { KeyPool } from "./key_pool.ts";
import { ManualCommon } from "./manual_common.ts";
import { ManualMessages } from "./manual_messages.ts";
import { ManualPeers } from "./manual_peers.ts";
import {
  ANNOUNCEMENT_LENGTH,
  ANSWER_LENGTH,
  TYPE_ANNOUNCEMENT,
  TYPE_ANSWER,
} from "./manual_spec.ts";
import type { Outside } from "./outside.ts";
import { Peer } from "./peer.ts";
import { PeersAnnouncements } from "./peers_announcements.ts";
import { Sessions } from "./sessions.ts";
import {
  COOKIE_REPLY_LENGTH,
  INITIATION_LENGTH,
  REKEY_TIMEOUT,
  RESPONSE_LENGTH,
  TAG_LENGTH,
  TRANSPORT_HEADER_LENGTH,
  TYPE_COOKIE_REPLY,
  TYPE_INITIATION,
  TYPE_RESPONSE,
  TYPE_TRANSPORT,
} from "./spec.ts";
import { type TimerActions, Timers } from "./timers.ts";
import { TimestampSource } from "./timestamp.ts";

export interface DeviceParts {
  readonly crypto: Crypto;
  readonly outside: Outside;
  /** Where packets lie that go in and out. */
  readonly arena: Uint8Array<ArrayBuffer>;
  readonly pool: KeyPool;
  readonly now: number;
  readonly mtu: number;
  /** Handshake messages a second that make "under load"; default `LOAD_HANDSHAKES_PER_SECOND`. */
  readonly loadLimit?: number;
}

export interface DeviceChange {
  readonly identity?: CoreIdentity;
  readonly replacePeers?: boolean;
  readonly peers?: readonly PeerChange[];
}

export interface PeerChange {
  readonly publicKey: Uint8Array;
  readonly remove?: boolean;
  readonly updateOnly?: boolean;
  /** A view that stays valid while the peer is there. */
  readonly presharedKey?: Uint8Array | "none";
  /**
   * Likewise. With one there are no handshakes with the peer: sessions are announced (manual_spec.ts).
   * Another one, or none, ends all its sessions.
   */
  readonly manualKey?: Uint8Array | "none";
  /** The timestamp (12 bytes) of the peer's last announcement that was taken, if that is remembered. */
  readonly newerThan?: Uint8Array;
  readonly endpoint?: Endpoint;
  readonly persistentKeepalive?: number;
  readonly replaceAllowedIps?: boolean;
  readonly allowedIps?: readonly Prefix[];
  readonly removeAllowedIps?: readonly Prefix[];
}

export class Device {
  readonly #context: Context;
  readonly #peers = new Map<string, Peer>();
  readonly #identity: IdentityQueue;
  readonly #timers: Timers;
  readonly #sessions: Sessions;
  readonly #admission: Admission;
  readonly #handshakes: Handshakes;
  readonly #manualPeers: ManualPeers;
  readonly #announcements: Announcements;
  readonly #peersAnnouncements: PeersAnnouncements;
  readonly #actions: TimerActions;

  constructor(parts: DeviceParts) {
    const { crypto, outside, arena, pool } = parts;
    const scratch = [pool.take(), pool.take()] as const;
    if (scratch[0] === undefined || scratch[1] === undefined) {
      throw new RangeError("Cannot make device: key memory is too small; give at least 1 KiB");
    }
    this.#context = {
      crypto,
      outside,
      arena,
      pool,
      aead: crypto.transport(arena),
      drops: noDrops(),
      allowedIps: new AllowedIps(),
      now: parts.now,
      mtu: parts.mtu,
      cookiesSent: 0,
    };
    const context = this.#context;
    const random = (out: Uint8Array) => outside.random(out);
    const kdf = new Kdf(crypto, [scratch[0], scratch[1]]);
    const indices = new Indices(random);
    this.#identity = new IdentityQueue(context);
    this.#timers = new Timers(context);
    this.#sessions = new Sessions(context, {
      indices,
      timers: this.#timers,
      initiate: (peer) => this.#initiate(peer, false),
    });
    const { loadLimit } = parts;
    this.#admission = new Admission(context, { identity: this.#identity, loadLimit });
    const shared = {
      identity: this.#identity,
      admission: this.#admission,
      timestamps: new TimestampSource(),
      noise: new Noise({ crypto, kdf, random }),
      indices,
      timers: this.#timers,
      sessions: this.#sessions,
    };
    this.#handshakes = new Handshakes(context, {
      ...shared,
      findPeer: (publicKey) => {
        const peer = this.#peers.get(publicKey.toBase64());
        return peer?.manual === undefined ? peer : undefined;
      },
    });
    const messages = new ManualMessages({ crypto, kdf, random });
    const manual = new ManualCommon(context, { ...shared, messages });
    this.#manualPeers = new ManualPeers(manual);
    this.#announcements = new Announcements(manual);
    this.#peersAnnouncements = new PeersAnnouncements(manual, this.#manualPeers);
    this.#actions = {
      initiate: (peer, retry) => this.#initiate(peer, retry),
      repeatAnnouncement: (peer) => this.#announcements.repeat(peer),
      sendKeepalive: (peer) => this.#sessions.sendKeepalive(peer),
      giveUp: (peer) => {
        peer.queue = [];
        outside.event({ kind: "handshake-failed", peer, reason: "no-answer" });
      },
      zeroKeys: (peer) => {
        this.#forgetStaticSecret(peer);
        this.#handshakes.clear(peer);
        this.#manualPeers.clear(peer);
        this.#sessions.dropAll(peer);
        outside.event({ kind: "keys-expired", peer });
      },
    };
  }

  /** An IP packet to send lies at `offset` of the arena, which `Outside.reserve` gave. */
  packetFromTun(offset: number, length: number, now: number): void {
    this.#context.now = now;
    this.#sessions.sendPacket(offset, length);
  }

  /** A datagram lies in the arena at `offset`, a multiple of 16. `source` is read, not kept. */
  datagram(
    offset: number,
    length: number,
    { source, now }: { source: Endpoint; now: number },
  ): void {
    this.#context.now = now;
    const { arena, drops } = this.#context;
    const type = arena[offset] ?? 0;
    const reserved = (arena[offset + 1] ?? 0) | (arena[offset + 2] ?? 0) | (arena[offset + 3] ?? 0);
    if (
      type === TYPE_TRANSPORT && reserved === 0 && length >= TRANSPORT_HEADER_LENGTH + TAG_LENGTH
    ) {
      this.#sessions.receive(offset, length, source);
    } else if (reserved === 0 && length === handshakeLength(type)) {
      if (type === TYPE_INITIATION) this.#handshakes.receiveInitiation(offset, source);
      else if (type === TYPE_RESPONSE) this.#handshakes.receiveResponse(offset, source);
      else if (type === TYPE_ANNOUNCEMENT) this.#peersAnnouncements.receive(offset, source);
      else if (type === TYPE_ANSWER) this.#announcements.receiveAnswer(offset, source);
      else this.#handshakes.receiveCookieReply(arena.slice(offset, offset + length));
    } else {
      drops.malformed++;
    }
  }

  /** Does what is due. */
  tick(now: number): void {
    this.#context.now = now;
    this.#identity.expire();
    this.#timers.fire(this.#actions);
  }

  /** When `tick` is due next, Infinity for not at all. */
  nextDeadline(): number {
    return Math.min(this.#timers.next(), this.#identity.deadline);
  }

  /** An empty message to every peer with a known endpoint; begins a handshake where none stands. */
  announce(now: number): void {
    this.#context.now = now;
    for (const peer of this.#peers.values()) {
      if (peer.endpoint !== undefined) this.#sessions.sendKeepalive(peer);
    }
  }

  /**
   * Begins a handshake with every peer with a known endpoint, however young its session is; that
   * one goes on meanwhile. As always, none begins within REKEY_TIMEOUT of the last.
   */
  rekey(now: number): void {
    this.#context.now = now;
    for (const peer of this.#peers.values()) this.#initiate(peer, false);
  }

  /** Answers `Outside.requestDh`; undefined says that it failed. `secret` is copied to key memory. */
  answerDh(id: number, { secret, now }: { secret: Uint8Array | undefined; now: number }): void {
    this.#context.now = now;
    this.#identity.answer(id, secret);
  }

  configure(change: DeviceChange, now: number): void {
    this.#context.now = now;
    if (change.identity !== undefined) this.#setIdentity(change.identity);
    if (change.replacePeers === true) {
      for (const peer of [...this.#peers.values()]) this.#removePeer(peer);
    }
    for (const peerChange of change.peers ?? []) this.#configurePeer(peerChange);
  }

  /** Wipes every key. The device must not be used after that. */
  close(): void {
    for (const peer of [...this.#peers.values()]) this.#removePeer(peer);
    this.#identity.set({ kind: "none" });
    this.#context.pool.wipe();
    this.#context.aead.forget();
  }

  get peers(): ReadonlyMap<string, Peer> {
    return this.#peers;
  }

  get identityKind(): CoreIdentity["kind"] {
    return this.#identity.kind;
  }

  get publicKey(): Uint8Array {
    return this.#identity.publicKey;
  }

  get drops(): Context["drops"] {
    return this.#context.drops;
  }

  get cookiesSent(): number {
    return this.#context.cookiesSent;
  }

  get underLoad(): boolean {
    return this.#admission.underLoad;
  }

  get mtu(): number {
    return this.#context.mtu;
  }

  setMtu(mtu: number): void {
    this.#context.mtu = mtu;
  }

  allowedIpsOf(peer: Peer): Prefix[] {
    return this.#context.allowedIps.prefixesOf(peer);
  }

  #setIdentity(identity: CoreIdentity): void {
    if (!this.#identity.set(identity)) return;
    this.#admission.identityChanged();
    const self = this.#peers.get(this.#identity.publicKey.toBase64());
    if (self !== undefined && identity.kind !== "none") this.#removePeer(self);
    for (const peer of this.#peers.values()) {
      this.#forgetStaticSecret(peer);
      this.#handshakes.clear(peer);
      this.#sessions.endSending(peer);
      this.#manualPeers.identityChanged(peer);
      peer.lastInitiationSentAt = this.#context.now - REKEY_TIMEOUT;
    }
  }

  #configurePeer(change: PeerChange): void {
    const key = change.publicKey.toBase64();
    const known = this.#peers.get(key);
    if (change.remove === true) {
      if (known !== undefined) this.#removePeer(known);
      return;
    }
    if (known === undefined && change.updateOnly === true) return;
    // As stock peers do: an interface that is its own peer is passed over.
    if (this.#identity.kind !== "none" && key === this.#identity.publicKey.toBase64()) return;
    const peer = known ?? this.#addPeer(key, change.publicKey);
    if (change.presharedKey === "none") peer.clearPresharedKey();
    else if (change.presharedKey !== undefined) peer.presharedKey = change.presharedKey;
    this.#setManualKey(peer, change);
    if (change.endpoint !== undefined) peer.endpoint = change.endpoint.clone();
    if (change.replaceAllowedIps === true) this.#context.allowedIps.removeOwner(peer);
    for (const prefix of change.removeAllowedIps ?? []) {
      this.#context.allowedIps.remove(prefix, peer);
    }
    for (const prefix of change.allowedIps ?? []) this.#context.allowedIps.insert(prefix, peer);
    this.#setPersistentKeepalive(peer, change.persistentKeepalive);
    this.#sessions.flush(peer);
  }

  #setManualKey(peer: Peer, { manualKey, newerThan }: PeerChange): void {
    if (manualKey === undefined) return;
    if (manualKey === "none") {
      this.#manualPeers.removeKey(peer);
      return;
    }
    if (peer.manual === undefined) {
      this.#handshakes.clear(peer);
      this.#sessions.dropAll(peer);
    }
    const before = peer.manual;
    this.#manualPeers.setKey(peer, manualKey, newerThan);
    // A session under the new key needn't wait for the old one's turn.
    if (peer.manual !== before) peer.lastInitiationSentAt = this.#context.now - REKEY_TIMEOUT;
  }

  #setPersistentKeepalive(peer: Peer, seconds: number | undefined): void {
    if (seconds === undefined || seconds === peer.persistentKeepalive) return;
    const turnedOn = peer.persistentKeepalive === 0;
    peer.persistentKeepalive = seconds;
    if (seconds === 0) peer.persistentAt = Infinity;
    else this.#timers.authenticatedTraversal(peer);
    if (turnedOn) this.#sessions.sendKeepalive(peer);
  }

  #initiate(peer: Peer, retry: boolean): void {
    if (peer.manual === undefined) this.#handshakes.initiate(peer, retry);
    else this.#announcements.announce(peer, peer.manual, retry);
  }

  #addPeer(key: string, publicKey: Uint8Array): Peer {
    const ownCopy = publicKey.slice();
    const peer = new Peer(ownCopy, new CookieGenerator(ownCopy, this.#context.crypto));
    this.#peers.set(key, peer);
    return peer;
  }

  #removePeer(peer: Peer): void {
    peer.removed = true;
    peer.queue = [];
    this.#peers.delete(peer.publicKey.toBase64());
    this.#context.allowedIps.removeOwner(peer);
    this.#forgetStaticSecret(peer);
    this.#handshakes.clear(peer);
    this.#manualPeers.removeKey(peer);
    this.#sessions.dropAll(peer);
    this.#timers.stop(peer);
  }

  #forgetStaticSecret(peer: Peer): void {
    if (peer.staticSecret !== undefined) this.#context.pool.release(peer.staticSecret);
    peer.staticSecret = undefined;
  }
}

/** Length of a handshake message of this type; -1 for other types. */
function handshakeLength(type: number): number {
  switch (type) {
    case TYPE_INITIATION:
      return INITIATION_LENGTH;
    case TYPE_RESPONSE:
      return RESPONSE_LENGTH;
    case TYPE_COOKIE_REPLY:
      return COOKIE_REPLY_LENGTH;
    case TYPE_ANNOUNCEMENT:
      return ANNOUNCEMENT_LENGTH;
    case TYPE_ANSWER:
      return ANSWER_LENGTH;
    default:
      return -1;
  }
}
