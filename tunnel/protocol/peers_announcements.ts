/**
 * Peers' announcements under manual keys: one that is newer than any before brings an early key,
 * which receives only, and is answered. From an older one nothing is taken.
 */
import { INITIATION_SPACING } from "./choices.ts";
import type { Context } from "./context.ts";
import { ReceivedMessage } from "./cookie.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Handshake } from "./handshake.ts";
import { Keypair } from "./keypair.ts";
import type { KeySlot } from "./key_pool.ts";
import type { ManualCommon, ManualParts } from "./manual_common.ts";
import { nonceOf } from "./manual_messages.ts";
import type { ManualPeers } from "./manual_peers.ts";
import { ANNOUNCEMENT_LENGTH, ANSWER_LENGTH } from "./manual_spec.ts";
import type { ManualState } from "./manual_state.ts";
import type { Peer } from "./peer.ts";
import { REKEY_TIMEOUT } from "./spec.ts";
import { isLater } from "./timestamp.ts";

interface Arrival {
  readonly state: Handshake;
  readonly message: Uint8Array;
  readonly source: Endpoint;
}

export class PeersAnnouncements {
  readonly #common: ManualCommon;
  readonly #context: Context;
  readonly #parts: ManualParts;
  readonly #peers: ManualPeers;
  readonly #arrived = new ReceivedMessage(ANNOUNCEMENT_LENGTH);

  constructor(common: ManualCommon, peers: ManualPeers) {
    this.#common = common;
    this.#context = common.context;
    this.#parts = common.parts;
    this.#peers = peers;
  }

  /** An announcement that lies in the arena at `offset`. */
  receive(offset: number, source: Endpoint): void {
    const arrived = this.#arrived;
    arrived.read(this.#context.arena, offset);
    if (!this.#parts.admission.admits(arrived, source)) return;
    const id = this.#parts.messages.readKeyId(arrived.bytes, this.#parts.identity.publicKey);
    const peer = this.#peers.find(id);
    if (peer?.manual === undefined) {
      this.#context.drops.handshakeRefused++;
      return;
    }
    const state = this.#common.takeState(peer);
    if (state === undefined) return;
    this.#consume(peer, peer.manual, { state, message: arrived.bytes, source });
    state.release();
  }

  #consume(
    peer: Peer,
    manual: ManualState,
    { state, message, source }: Arrival,
  ): void {
    const { drops, now, outside } = this.#context;
    const { messages, identity } = this.#parts;
    // No session makes room for a message that may be forged.
    const slot = this.#context.pool.take();
    if (slot === undefined) {
      drops.noKeyMemory++;
      return;
    }
    const read = messages.consumeAnnouncement(state, message, {
      manualKey: manual.key,
      sender: peer.publicKey,
      receiver: identity.publicKey,
      earlyKey: slot.second,
    });
    if (read === undefined || !isLater(read.timestamp, manual.newest)) {
      this.#context.pool.release(slot);
      if (read === undefined) drops.handshakeRefused++;
      else this.#consumeOld(peer, manual, { state, message, source });
      return;
    }
    if (now - peer.lastInitiationConsumedAt < INITIATION_SPACING) {
      this.#context.pool.release(slot);
      drops.rateLimited++;
      return;
    }
    manual.newest.set(read.timestamp);
    outside.event({ kind: "announcement-taken", peer, timestamp: read.timestamp });
    this.#common.heard(peer, source, message.length);
    this.#receiveEarly(peer, manual, { slot, localIndex: read.index });
    // Its answer lets us send: until it is used, or wasn't, there is no need to announce ourselves.
    peer.lastInitiationSentAt = now;
    this.#answer(peer, manual, { state, message, source });
  }

  /** The index follows from the message: should another session have it, only the answer helps. */
  #receiveEarly(
    peer: Peer,
    manual: ManualState,
    { slot, localIndex }: { slot: KeySlot; localIndex: number },
  ): void {
    const { indices, sessions, timers } = this.#parts;
    if (!indices.isFree(localIndex)) {
      this.#context.pool.release(slot);
      return;
    }
    const createdAt = this.#context.now;
    const keypair = new Keypair({
      peer,
      slot,
      initiator: false,
      localIndex,
      remoteIndex: 0,
      createdAt,
    });
    keypair.sendEnded = true;
    indices.keypairs.set(localIndex, keypair);
    sessions.drop(manual.incomingBefore);
    manual.incomingBefore = manual.incoming;
    manual.incoming = keypair;
    timers.sessionDerived(peer);
  }

  /**
   * Not newer than what was taken: a repetition, a replay, or a peer whose clock went back. No early
   * data is taken, and nobody is moved by it. But only the peer itself can use an answer, so one is
   * given, unless the peer has one that it may be about to use.
   */
  #consumeOld(
    peer: Peer,
    manual: ManualState,
    { state, message, source }: Arrival,
  ): void {
    const { now, drops } = this.#context;
    const { answered } = manual;
    if (
      answered !== undefined && answered.keypair === peer.next &&
      same(answered.nonce, nonceOf(message))
    ) {
      this.#common.sendTo(peer, source, answered.message);
      return;
    }
    drops.handshakeReplayed++;
    const { next } = peer;
    if (next !== undefined && now - next.createdAt < REKEY_TIMEOUT) return;
    this.#answer(peer, manual, { state, message, source });
  }

  #answer(
    peer: Peer,
    manual: ManualState,
    { state, message, source }: Arrival,
  ): void {
    const { indices, messages, noise, sessions } = this.#parts;
    peer.lastInitiationConsumedAt = this.#context.now;
    state.localIndex = indices.fresh();
    const answer = new Uint8Array(ANSWER_LENGTH);
    messages.createAnswer(state, answer, this.#common.now());
    if (!sessions.begin(peer, { state, noise, initiator: false }) || peer.next === undefined) {
      return;
    }
    manual.answered = { nonce: nonceOf(message).slice(), message: answer, keypair: peer.next };
    this.#common.sendTo(peer, source, answer);
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((byte, at) => byte === b[at]);
}
