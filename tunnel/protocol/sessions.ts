/**
 * Sessions and their packets (whitepaper 5.4.5, 5.4.6 and section 6): key pairs begin, take turns
 * and end here; plaintext becomes transport messages and back, in place in the arena.
 */
import { MAX_QUEUED_PACKETS } from "./choices.ts";
import type { Context } from "./context.ts";
import type { Endpoint } from "./endpoint.ts";
import { Handshake, type Noise } from "./handshake.ts";
import type { Indices } from "./indices.ts";
import { PacketOwners } from "./ip_packet.ts";
import { Keypair } from "./keypair.ts";
import type { KeySlot } from "./key_pool.ts";
import { LoopGuard } from "./loop_guard.ts";
import type { Peer } from "./peer.ts";
import {
  KEEPALIVE_TIMEOUT,
  PADDING_MULTIPLE,
  REJECT_AFTER_MESSAGES,
  REJECT_AFTER_TIME,
  REKEY_AFTER_MESSAGES,
  REKEY_AFTER_TIME,
  REKEY_TIMEOUT,
  TAG_LENGTH,
  TRANSPORT_HEADER_LENGTH,
  TYPE_TRANSPORT,
} from "./spec.ts";
import type { Timers } from "./timers.ts";

const TWO_32 = 2 ** 32;

export class Sessions {
  readonly #context: Context;
  readonly #owners: PacketOwners<Peer>;
  readonly #loops: LoopGuard;
  readonly #indices: Indices;
  readonly #timers: Timers;
  readonly #initiate: (peer: Peer) => void;

  constructor(
    context: Context,
    parts: { indices: Indices; timers: Timers; initiate: (peer: Peer) => void },
  ) {
    this.#context = context;
    this.#owners = new PacketOwners(context.arena, context.allowedIps);
    this.#loops = new LoopGuard(context.arena);
    this.#indices = parts.indices;
    this.#timers = parts.timers;
    this.#initiate = parts.initiate;
  }

  /** Sends the IP packet of `length` bytes that lies at `offset` (as `Outside.reserve` gives it). */
  sendPacket(offset: number, length: number): void {
    const { arena, drops } = this.#context;
    const peer = this.#owners.ofDestination(offset, length);
    if (peer === undefined) {
      drops.noRoute++;
      return;
    }
    if (peer.endpoint === undefined) {
      drops.noEndpoint++;
      return;
    }
    const keypair = this.#usable(peer);
    if (keypair === undefined) {
      this.#queue(peer, arena.slice(offset, offset + length));
      this.#initiate(peer);
      return;
    }
    if (this.#loops.isOwn(keypair, offset, length)) {
      drops.looped++;
      return;
    }
    this.#seal(keypair, offset, length);
    this.#keepFreshSending(peer, keypair);
  }

  /** An empty message, unless packets wait anyway; begins a handshake if there is no session. */
  sendKeepalive(peer: Peer): void {
    if (peer.queue.length === 0) this.#queue(peer, new Uint8Array(0));
    this.flush(peer);
  }

  /** Sends what waits, or begins a handshake for it. */
  flush(peer: Peer): void {
    if (peer.queue.length === 0) return;
    if (peer.endpoint === undefined) {
      this.#context.drops.noEndpoint += peer.queue.length;
      peer.queue = [];
      return;
    }
    const keypair = this.#usable(peer);
    if (keypair === undefined) {
      this.#initiate(peer);
      return;
    }
    const packets = peer.queue;
    peer.queue = [];
    for (const packet of packets) {
      const offset = this.#context.outside.reserve(packet.length);
      this.#context.arena.set(packet, offset);
      this.#seal(keypair, offset, packet.length);
    }
    this.#keepFreshSending(peer, keypair);
  }

  /** A transport message of `length` bytes at `offset`, a multiple of 16. */
  receive(offset: number, length: number, source: Endpoint): void {
    const { arena, drops, aead, now } = this.#context;
    const keypair = this.#indices.keypairs.get(readWord(arena, offset + 4));
    if (keypair === undefined) {
      drops.unknownIndex++;
      return;
    }
    const counter = readWord(arena, offset + 8) + readWord(arena, offset + 12) * TWO_32;
    if (now - keypair.createdAt >= REJECT_AFTER_TIME || counter >= REJECT_AFTER_MESSAGES) {
      drops.expiredKey++;
      return;
    }
    const plaintext = offset + TRANSPORT_HEADER_LENGTH;
    const plaintextLength = length - TRANSPORT_HEADER_LENGTH - TAG_LENGTH;
    if (!aead.open(keypair.receiveKey, counter, plaintext, plaintextLength)) {
      drops.authentication++;
      return;
    }
    if (!keypair.window.accept(counter)) {
      drops.replayed++;
      return;
    }
    const { peer } = keypair;
    peer.rxBytes += length;
    this.learnEndpoint(peer, source);
    this.#timers.authenticatedTraversal(peer);
    this.#timers.authenticatedReceived(peer);
    if (peer.next === keypair) this.#confirm(peer, keypair);
    this.#keepFreshReceiving(peer);
    if (plaintextLength === 0) return;
    this.#timers.dataReceived(peer);
    this.#deliver(keypair, plaintext, plaintextLength);
  }

  /** The peer is where its last authenticated packet came from (section 2.1). */
  learnEndpoint(peer: Peer, source: Endpoint): void {
    if (peer.endpoint === undefined) {
      peer.endpoint = source.clone();
    } else {
      if (peer.endpoint.equals(source)) return;
      const moved = !peer.endpoint.reaches(source);
      peer.endpoint.copyFrom(source);
      if (!moved) return;
    }
    this.#context.outside.event({ kind: "endpoint-changed", peer });
  }

  /** Makes the keys of a finished handshake. False if there is no memory for them. */
  begin(peer: Peer, parts: { state: Handshake; noise: Noise; initiator: boolean }): boolean {
    const slot = this.takeSlot(peer);
    if (slot === undefined) {
      this.#context.drops.noKeyMemory++;
      this.#context.outside.event({ kind: "handshake-failed", peer, reason: "no-key-memory" });
      return false;
    }
    const { state, noise, initiator } = parts;
    noise.deriveKeys(state, slot, initiator);
    const keypair = new Keypair({
      peer,
      slot,
      initiator,
      localIndex: state.localIndex,
      remoteIndex: state.remoteIndex,
      createdAt: this.#context.now,
    });
    this.#indices.keypairs.set(keypair.localIndex, keypair);
    if (initiator) {
      const before = peer.previous;
      if (peer.next === undefined) {
        peer.previous = peer.current;
      } else {
        peer.previous = peer.next;
        peer.next = undefined;
        this.drop(peer.current);
      }
      this.drop(before);
      peer.current = keypair;
    } else {
      this.drop(peer.next);
      this.drop(peer.previous);
      peer.previous = undefined;
      peer.next = keypair;
    }
    this.#timers.sessionDerived(peer);
    return true;
  }

  /** The sessions receive on until they end, but send nothing more: the identity changed. */
  endSending(peer: Peer): void {
    for (const keypair of [peer.current, peer.next]) {
      if (keypair !== undefined) keypair.sendEnded = true;
    }
  }

  /** Wipes all session keys of the peer. */
  dropAll(peer: Peer): void {
    this.drop(peer.previous);
    this.drop(peer.current);
    this.drop(peer.next);
    peer.previous = undefined;
    peer.current = undefined;
    peer.next = undefined;
  }

  /** Whether a packet for the peer would go out at once. */
  canSend(peer: Peer): boolean {
    return this.#usable(peer) !== undefined;
  }

  /** Memory for one more session. When it is short, the peer's oldest one makes room for its newest. */
  takeSlot(peer: Peer): KeySlot | undefined {
    const slot = this.#context.pool.take();
    if (slot !== undefined || peer.previous === undefined) return slot;
    this.drop(peer.previous);
    peer.previous = undefined;
    return this.#context.pool.take();
  }

  /** Wipes a session's keys. */
  drop(keypair: Keypair | undefined): void {
    if (keypair === undefined) return;
    const { keypairs } = this.#indices;
    if (keypairs.get(keypair.localIndex) === keypair) keypairs.delete(keypair.localIndex);
    this.#context.pool.release(keypair.slot);
    this.#context.aead.forget();
  }

  #usable(peer: Peer): Keypair | undefined {
    const { now } = this.#context;
    const keypair = peer.current;
    if (keypair !== undefined && keypair.usable(now)) return keypair;
    return peer.early?.usable(now) === true ? peer.early : undefined;
  }

  #queue(peer: Peer, packet: Uint8Array): void {
    peer.queue.push(packet);
    if (peer.queue.length <= MAX_QUEUED_PACKETS) return;
    peer.queue.shift();
    this.#context.drops.queueFull++;
  }

  #seal(keypair: Keypair, offset: number, length: number): void {
    const { arena, aead, outside } = this.#context;
    const { peer } = keypair;
    const { endpoint } = peer;
    // Callers have checked it; an endpoint is never taken away from a peer.
    if (endpoint === undefined) throw new Error("Cannot send packet: the peer has no endpoint");
    const padded = this.#paddedLength(length);
    for (let index = offset + length; index < offset + padded; index++) arena[index] = 0;
    const counter = keypair.sendCounter++;
    const header = offset - TRANSPORT_HEADER_LENGTH;
    writeWord(arena, header, TYPE_TRANSPORT);
    writeWord(arena, header + 4, keypair.remoteIndex);
    writeWord(arena, header + 8, counter);
    writeWord(arena, header + 12, Math.floor(counter / TWO_32));
    aead.seal(keypair.sendKey, counter, offset, padded);
    const total = TRANSPORT_HEADER_LENGTH + padded + TAG_LENGTH;
    peer.txBytes += total;
    this.#timers.authenticatedTraversal(peer);
    this.#timers.authenticatedSent(peer);
    if (length > 0) this.#timers.dataSent(peer);
    outside.sendData(endpoint, header, total);
  }

  /** Section 5.4.6: up to a multiple of 16, but never beyond the MTU. */
  #paddedLength(length: number): number {
    const padded = (length + PADDING_MULTIPLE - 1) & -PADDING_MULTIPLE;
    return Math.max(length, Math.min(padded, this.#context.mtu));
  }

  #deliver(keypair: Keypair, offset: number, length: number): void {
    const { drops, outside } = this.#context;
    const { peer } = keypair;
    const packetLength = this.#owners.packetLength(offset, length);
    if (packetLength === 0 || this.#owners.ofSource(offset, length) !== peer) {
      drops.notAllowed++;
      return;
    }
    if (!keypair.carriedData) {
      keypair.carriedData = true;
      outside.event({ kind: "first-data-received", peer });
    }
    outside.deliver(offset, packetLength);
  }

  /** The initiator has used the session: it has the keys, so we may send with them too. */
  #confirm(peer: Peer, keypair: Keypair): void {
    const before = peer.previous;
    peer.previous = peer.current;
    this.drop(before);
    peer.current = keypair;
    peer.next = undefined;
    this.#timers.handshakeComplete(peer);
    this.#context.outside.event({ kind: "handshake-completed", peer, initiator: false });
    this.flush(peer);
  }

  #keepFreshSending(peer: Peer, keypair: Keypair): void {
    const old = keypair.initiator &&
      this.#context.now - keypair.createdAt >= REKEY_AFTER_TIME;
    if (old || keypair.sendCounter > REKEY_AFTER_MESSAGES) this.#initiate(peer);
  }

  /** Section 6.2: near its end, renew the session even if we only receive. */
  #keepFreshReceiving(peer: Peer): void {
    const keypair = peer.current;
    if (keypair === undefined || peer.sentLastMinuteHandshake || !keypair.initiator) return;
    const limit = REJECT_AFTER_TIME - KEEPALIVE_TIMEOUT - REKEY_TIMEOUT;
    if (this.#context.now - keypair.createdAt < limit) return;
    peer.sentLastMinuteHandshake = true;
    this.#initiate(peer);
  }
}

function readWord(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) |
    ((bytes[at + 3] ?? 0) << 24)) >>> 0;
}

function writeWord(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}
