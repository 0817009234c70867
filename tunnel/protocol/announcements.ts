/**
 * Our announcements under manual keys: one goes out and packets follow it at once under its early
 * key, which sends only; an answer, if one comes, makes a session of both sides.
 */
import type { Context } from "./context.ts";
import { ReceivedMessage } from "./cookie.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Handshake } from "./handshake.ts";
import { Keypair } from "./keypair.ts";
import type { ManualCommon, ManualParts } from "./manual_common.ts";
import { ANNOUNCEMENT_LENGTH, ANNOUNCEMENT_REPEATS, ANSWER_LENGTH } from "./manual_spec.ts";
import type { Announced, ManualState } from "./manual_state.ts";
import type { Peer } from "./peer.ts";
import { REKEY_TIMEOUT } from "./spec.ts";

export class Announcements {
  readonly #common: ManualCommon;
  readonly #context: Context;
  readonly #parts: ManualParts;
  readonly #arrived = new ReceivedMessage(ANSWER_LENGTH);

  constructor(common: ManualCommon) {
    this.#common = common;
    this.#context = common.context;
    this.#parts = common.parts;
  }

  /** Announces a new session, unless that was done within REKEY_TIMEOUT; what waits goes out. */
  announce(peer: Peer, manual: ManualState, retry: boolean): void {
    const { now } = this.#context;
    const { identity, sessions, timers } = this.#parts;
    if (!retry) peer.attempts = 0;
    if (peer.endpoint === undefined || identity.kind === "none") return;
    if (now - peer.lastInitiationSentAt < REKEY_TIMEOUT) {
      if (!sessions.canSend(peer)) this.#useEarly(peer, manual);
      return;
    }
    peer.lastInitiationSentAt = now;
    timers.handshakeInitiated(peer);
    const announced = this.#newAnnouncement(peer, manual);
    if (announced === undefined) return;
    this.#common.forgetAnnounced(peer, manual);
    manual.announced = announced;
    if (peer.attempts === 0) manual.heardBefore = peer.rxBytes;
    timers.sessionDerived(peer);
    this.#send(peer, manual);
    if (!sessions.canSend(peer)) this.#useEarly(peer, manual);
  }

  /** The timer's: the same announcement once more, byte for byte but for its MACs. */
  repeat(peer: Peer): void {
    const { manual } = peer;
    if (manual?.announced === undefined || peer.endpoint === undefined) return;
    this.#send(peer, manual);
    if (manual.announced.times > ANNOUNCEMENT_REPEATS.length) this.#doWithoutAnswer(peer, manual);
  }

  /** An answer that lies in the arena at `offset`. */
  receiveAnswer(offset: number, source: Endpoint): void {
    const arrived = this.#arrived;
    arrived.read(this.#context.arena, offset);
    if (!this.#parts.admission.admits(arrived, source)) return;
    const index = new DataView(arrived.bytes.buffer).getUint32(8, true);
    const peer = this.#parts.indices.announcements.get(index);
    const announced = peer?.manual?.announced;
    if (peer?.manual === undefined || announced?.state.localIndex !== index) {
      this.#context.drops.unknownIndex++;
      return;
    }
    const state = this.#common.takeState(peer);
    if (state === undefined) return;
    if (this.#parts.messages.consumeAnswer(state, arrived.bytes, announced.state)) {
      this.#complete(peer, peer.manual, { state, source });
    } else {
      this.#context.drops.handshakeRefused++;
    }
    state.release();
  }

  #newAnnouncement(
    peer: Peer,
    manual: ManualState,
  ): Announced | undefined {
    const { indices, messages, identity } = this.#parts;
    const state = this.#common.takeState(peer);
    if (state === undefined) return undefined;
    const slot = this.#common.takeSlot(peer);
    if (slot === undefined) {
      state.release();
      return undefined;
    }
    state.localIndex = indices.fresh();
    indices.announcements.set(state.localIndex, peer);
    const message = new Uint8Array(ANNOUNCEMENT_LENGTH);
    const remoteIndex = messages.createAnnouncement(state, message, {
      manualKey: manual.key,
      sender: identity.publicKey,
      receiver: peer.publicKey,
      timestamp: this.#common.now(),
      earlyKey: slot.first,
    });
    const { localIndex } = state;
    const createdAt = this.#context.now;
    const keypair = new Keypair({
      peer,
      slot,
      initiator: true,
      localIndex,
      remoteIndex,
      createdAt,
    });
    return { state, message, keypair, times: 0 };
  }

  #send(peer: Peer, manual: ManualState): void {
    const { announced } = manual;
    if (announced === undefined || peer.endpoint === undefined) return;
    const delay = ANNOUNCEMENT_REPEATS[announced.times++];
    if (delay !== undefined) this.#parts.timers.announced(peer, delay);
    this.#common.sendTo(peer, peer.endpoint, announced.message);
  }

  /** Packets go out under the key that was announced last. */
  #useEarly(peer: Peer, { announced }: ManualState): void {
    if (announced?.keypair.usable(this.#context.now) !== true) return;
    if (peer.early !== announced.keypair) {
      this.#parts.sessions.drop(peer.early);
      peer.early = announced.keypair;
    }
    this.#parts.sessions.flush(peer);
  }

  /**
   * It was announced often enough. An early session takes turns; one with a peer that answered once
   * is given up only if nothing at all came from it while a second announcement was made.
   */
  #doWithoutAnswer(peer: Peer, manual: ManualState): void {
    const { current } = peer;
    if (current?.usable(this.#context.now) === true) {
      if (peer.attempts === 0 || peer.rxBytes !== manual.heardBefore) return;
      current.sendEnded = true;
    }
    this.#useEarly(peer, manual);
  }

  #complete(
    peer: Peer,
    manual: ManualState,
    { state, source }: { state: Handshake; source: Endpoint },
  ): void {
    const { noise, sessions, timers } = this.#parts;
    this.#common.heard(peer, source, ANSWER_LENGTH);
    if (!sessions.begin(peer, { state, noise, initiator: true })) return;
    this.#common.forgetAnnounced(peer, manual);
    sessions.drop(peer.early);
    peer.early = undefined;
    timers.handshakeComplete(peer);
    this.#context.outside.event({ kind: "handshake-completed", peer, initiator: true });
    // Data or a keepalive: the other side may send only after it heard from us.
    sessions.sendKeepalive(peer);
  }
}
