/**
 * The timers of section 6, as deadlines in each peer. The functions named after events set and
 * clear them; `fire` says what to do when they are due. No callback, no clock.
 */
import { MAX_ATTEMPTS, MAX_JITTER } from "./choices.ts";
import type { Context } from "./context.ts";
import { Deadlines } from "./deadlines.ts";
import type { Peer } from "./peer.ts";
import { KEEPALIVE_TIMEOUT, REJECT_AFTER_TIME, REKEY_TIMEOUT } from "./spec.ts";

/** What timers make happen. */
export interface TimerActions {
  initiate(peer: Peer, retry: boolean): void;
  repeatAnnouncement(peer: Peer): void;
  sendKeepalive(peer: Peer): void;
  giveUp(peer: Peer): void;
  zeroKeys(peer: Peer): void;
}

export class Timers {
  readonly #context: Context;
  readonly #deadlines = new Deadlines<Peer>();
  readonly #randomByte = new Uint8Array(2);

  constructor(context: Context) {
    this.#context = context;
  }

  next(): number {
    return this.#deadlines.next();
  }

  /** Fires all that is due. */
  fire(actions: TimerActions): void {
    const { now } = this.#context;
    for (;;) {
      const peer = this.#deadlines.take(now);
      if (peer === undefined) return;
      this.#fireOf(peer, actions);
      this.#deadlines.schedule(
        peer,
        Math.min(
          peer.retransmitAt,
          peer.keepaliveAt,
          peer.newHandshakeAt,
          peer.zeroKeysAt,
          peer.persistentAt,
          peer.repeatAt,
        ),
      );
    }
  }

  dataSent(peer: Peer): void {
    if (peer.newHandshakeAt !== Infinity) return;
    peer.newHandshakeAt = this.#context.now + KEEPALIVE_TIMEOUT + REKEY_TIMEOUT + this.#jitter();
    this.#deadlines.schedule(peer, peer.newHandshakeAt);
  }

  dataReceived(peer: Peer): void {
    if (peer.keepaliveAt !== Infinity) {
      peer.needAnotherKeepalive = true;
      return;
    }
    peer.keepaliveAt = this.#context.now + KEEPALIVE_TIMEOUT;
    this.#deadlines.schedule(peer, peer.keepaliveAt);
  }

  authenticatedSent(peer: Peer): void {
    peer.keepaliveAt = Infinity;
  }

  authenticatedReceived(peer: Peer): void {
    peer.newHandshakeAt = Infinity;
  }

  authenticatedTraversal(peer: Peer): void {
    if (peer.persistentKeepalive === 0) return;
    peer.persistentAt = this.#context.now + peer.persistentKeepalive * 1000;
    this.#deadlines.schedule(peer, peer.persistentAt);
  }

  handshakeInitiated(peer: Peer): void {
    peer.retransmitAt = this.#context.now + REKEY_TIMEOUT + this.#jitter();
    this.#deadlines.schedule(peer, peer.retransmitAt);
  }

  /** An announcement went out that goes out once more after `delay`. */
  announced(peer: Peer, delay: number): void {
    peer.repeatAt = this.#context.now + delay;
    this.#deadlines.schedule(peer, peer.repeatAt);
  }

  handshakeComplete(peer: Peer): void {
    peer.retransmitAt = Infinity;
    peer.repeatAt = Infinity;
    peer.attempts = 0;
    peer.sentLastMinuteHandshake = false;
    peer.lastHandshake = this.#context.outside.wallClock();
  }

  sessionDerived(peer: Peer): void {
    this.#armZeroKeys(peer);
  }

  /** Forgets all deadlines of a peer. */
  stop(peer: Peer): void {
    peer.retransmitAt = Infinity;
    peer.keepaliveAt = Infinity;
    peer.newHandshakeAt = Infinity;
    peer.zeroKeysAt = Infinity;
    peer.persistentAt = Infinity;
    peer.repeatAt = Infinity;
    peer.wakeAt = Infinity;
  }

  #fireOf(peer: Peer, actions: TimerActions): void {
    const { now } = this.#context;
    if (peer.repeatAt <= now) {
      peer.repeatAt = Infinity;
      actions.repeatAnnouncement(peer);
    }
    if (peer.retransmitAt <= now) this.#retransmit(peer, actions);
    if (peer.keepaliveAt <= now) {
      peer.keepaliveAt = Infinity;
      actions.sendKeepalive(peer);
      if (peer.needAnotherKeepalive) {
        peer.needAnotherKeepalive = false;
        peer.keepaliveAt = now + KEEPALIVE_TIMEOUT;
      }
    }
    if (peer.newHandshakeAt <= now) {
      peer.newHandshakeAt = Infinity;
      peer.endpoint?.clearSource();
      actions.initiate(peer, false);
    }
    if (peer.zeroKeysAt <= now) {
      peer.zeroKeysAt = Infinity;
      actions.zeroKeys(peer);
    }
    if (peer.persistentAt <= now) {
      peer.persistentAt = Infinity;
      if (peer.persistentKeepalive > 0) actions.sendKeepalive(peer);
    }
  }

  #retransmit(peer: Peer, actions: TimerActions): void {
    peer.retransmitAt = Infinity;
    if (peer.attempts >= MAX_ATTEMPTS) {
      peer.keepaliveAt = Infinity;
      if (peer.zeroKeysAt === Infinity) this.#armZeroKeys(peer);
      actions.giveUp(peer);
      return;
    }
    peer.attempts++;
    peer.endpoint?.clearSource();
    actions.initiate(peer, true);
  }

  #armZeroKeys(peer: Peer): void {
    peer.zeroKeysAt = this.#context.now + 3 * REJECT_AFTER_TIME;
    this.#deadlines.schedule(peer, peer.zeroKeysAt);
  }

  #jitter(): number {
    this.#context.outside.random(this.#randomByte);
    const random = ((this.#randomByte[0] ?? 0) << 8) | (this.#randomByte[1] ?? 0);
    return random % MAX_JITTER;
  }
}
