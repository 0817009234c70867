/** Handshakes of all peers: begins them, answers them, and turns finished ones into sessions. */
import type { Admission } from "./admission.ts";
import { INITIATION_SPACING } from "./choices.ts";
import type { Context } from "./context.ts";
import { ReceivedMessage } from "./cookie.ts";
import type { Endpoint } from "./endpoint.ts";
import { Handshake, type Noise, type ReadInitiation } from "./handshake.ts";
import type { IdentityQueue, Outcome } from "./identity.ts";
import type { Indices } from "./indices.ts";
import type { Peer } from "./peer.ts";
import type { Sessions } from "./sessions.ts";
import { INITIATION_LENGTH, REKEY_TIMEOUT, RESPONSE_LENGTH } from "./spec.ts";
import { isLater, type TimestampSource } from "./timestamp.ts";
import type { Timers } from "./timers.ts";

export interface HandshakeParts {
  readonly identity: IdentityQueue;
  readonly admission: Admission;
  readonly timestamps: TimestampSource;
  readonly noise: Noise;
  readonly indices: Indices;
  readonly timers: Timers;
  readonly sessions: Sessions;
  readonly findPeer: (publicKey: Uint8Array) => Peer | undefined;
}

export class Handshakes {
  readonly #context: Context;
  readonly #parts: HandshakeParts;
  readonly #arrivedInitiation = new ReceivedMessage(INITIATION_LENGTH);
  readonly #arrivedResponse = new ReceivedMessage(RESPONSE_LENGTH);

  constructor(context: Context, parts: HandshakeParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /** Sends an initiation, unless one was sent within REKEY_TIMEOUT. */
  initiate(peer: Peer, retry: boolean): void {
    const { now } = this.#context;
    if (!retry) peer.attempts = 0;
    if (peer.endpoint === undefined || this.#parts.identity.kind === "none") return;
    if (now - peer.lastInitiationSentAt < REKEY_TIMEOUT) return;
    peer.lastInitiationSentAt = now;
    const state = this.#takeState(peer);
    if (state === undefined) return;
    state.localIndex = this.#parts.indices.fresh();
    this.#parts.indices.handshakes.set(state.localIndex, { peer, state });
    const message = new Uint8Array(INITIATION_LENGTH);
    const steps = this.#parts.noise.createInitiation(state, message, {
      ownPublicKey: this.#parts.identity.publicKey,
      peerPublicKey: peer.publicKey,
      known: peer,
      writeTimestamp: (out) => this.#parts.timestamps.write(out, this.#context.outside.wallClock()),
    });
    this.#parts.identity.run(steps, {
      own: true,
      finish: (outcome) => this.#initiationMade(peer, { state, message, outcome }),
    });
  }

  /** An initiation that lies in the arena at `offset`. */
  receiveInitiation(offset: number, source: Endpoint): void {
    this.#arrivedInitiation.read(this.#context.arena, offset);
    if (!this.#parts.admission.admits(this.#arrivedInitiation, source)) return;
    this.#receiveInitiation(this.#arrivedInitiation.bytes.slice(), source.clone());
  }

  /** A response that lies in the arena at `offset`. */
  receiveResponse(offset: number, source: Endpoint): void {
    this.#arrivedResponse.read(this.#context.arena, offset);
    if (!this.#parts.admission.admits(this.#arrivedResponse, source)) return;
    this.#receiveResponse(this.#arrivedResponse.bytes.slice(), source.clone());
  }

  receiveCookieReply(reply: Uint8Array): void {
    const index = new DataView(reply.buffer, reply.byteOffset).getUint32(4, true);
    const { indices } = this.#parts;
    const peer = indices.handshakes.get(index)?.peer ?? indices.announcements.get(index) ??
      indices.keypairs.get(index)?.peer;
    if (peer === undefined) {
      this.#context.drops.unknownIndex++;
      return;
    }
    if (!peer.cookies.consumeReply(reply, this.#context.now)) {
      this.#context.drops.authentication++;
    }
  }

  /** Gives up the initiation that waits for its response. */
  clear(peer: Peer): void {
    if (peer.handshake === undefined) return;
    this.#parts.indices.handshakes.delete(peer.handshake.localIndex);
    peer.handshake.release();
    peer.handshake = undefined;
  }

  #initiationMade(
    peer: Peer,
    made: { state: Handshake; message: Uint8Array; outcome: Outcome<boolean> },
  ): void {
    const { state, message, outcome } = made;
    const { indices, timers } = this.#parts;
    const { endpoint } = peer;
    if (peer.removed || endpoint === undefined || outcome.kind !== "done" || !outcome.result) {
      indices.handshakes.delete(state.localIndex);
      state.release();
      if (peer.removed) return;
      if (outcome.kind === "identity-failed") this.#identityFailed(peer);
      if (outcome.kind === "done") this.#context.drops.handshakeRefused++;
      // Tried again like one that got no answer.
      timers.handshakeInitiated(peer);
      return;
    }
    this.clear(peer);
    peer.handshake = state;
    peer.cookies.addMacs(message, this.#context.now);
    this.#send(peer, endpoint, message);
    timers.handshakeInitiated(peer);
  }

  #receiveInitiation(message: Uint8Array, source: Endpoint): void {
    const state = this.#takeState(undefined);
    if (state === undefined) return;
    const { noise, identity, findPeer } = this.#parts;
    const steps = noise.consumeInitiation(state, message, {
      ownPublicKey: identity.publicKey,
      findPeer,
    });
    identity.run(steps, {
      own: false,
      finish: (outcome) => {
        const read = this.#finished(outcome);
        if (read !== undefined && this.#acceptInitiation(read)) {
          this.#respond(read.peer, { state, source, length: message.length });
        }
        state.release();
      },
    });
  }

  /** What only an authentic initiation may be judged by: its timestamp, and how soon it follows. */
  #acceptInitiation({ peer, timestamp }: ReadInitiation<Peer>): boolean {
    const { now, drops } = this.#context;
    if (peer.removed) return false;
    if (!isLater(timestamp, peer.lastTimestamp)) {
      drops.handshakeReplayed++;
      return false;
    }
    if (now - peer.lastInitiationConsumedAt < INITIATION_SPACING) {
      drops.rateLimited++;
      return false;
    }
    peer.lastTimestamp.set(timestamp);
    peer.lastInitiationConsumedAt = now;
    return true;
  }

  #respond(
    peer: Peer,
    { state, source, length }: { state: Handshake; source: Endpoint; length: number },
  ): void {
    const { indices, noise, sessions, timers } = this.#parts;
    peer.rxBytes += length;
    timers.authenticatedTraversal(peer);
    timers.authenticatedReceived(peer);
    sessions.learnEndpoint(peer, source);
    state.localIndex = indices.fresh();
    const response = new Uint8Array(RESPONSE_LENGTH);
    const { publicKey: peerPublicKey, presharedKey } = peer;
    if (!noise.createResponse(state, response, { peerPublicKey, presharedKey })) {
      this.#context.drops.handshakeRefused++;
      return;
    }
    this.clear(peer);
    if (!sessions.begin(peer, { state, noise, initiator: false })) return;
    peer.cookies.addMacs(response, this.#context.now);
    peer.lastInitiationSentAt = this.#context.now;
    this.#send(peer, source, response);
  }

  #receiveResponse(message: Uint8Array, source: Endpoint): void {
    const { indices, noise, identity } = this.#parts;
    const index = new DataView(message.buffer, message.byteOffset).getUint32(8, true);
    const pending = indices.handshakes.get(index);
    if (pending === undefined || pending.peer.handshake !== pending.state) {
      this.#context.drops.unknownIndex++;
      return;
    }
    const { peer, state: sent } = pending;
    const state = this.#takeState(peer);
    if (state === undefined) return;
    const { presharedKey } = peer;
    const steps = noise.consumeResponse(state, message, { sent, presharedKey });
    identity.run(steps, {
      own: true,
      finish: (outcome) => {
        if (outcome.kind === "identity-failed" && !peer.removed) this.#identityFailed(peer);
        if (this.#finished(outcome) === true && !peer.removed && peer.handshake === sent) {
          this.#complete(peer, { state, source, length: message.length });
        }
        state.release();
      },
    });
  }

  #complete(
    peer: Peer,
    { state, source, length }: { state: Handshake; source: Endpoint; length: number },
  ): void {
    const { noise, sessions, timers } = this.#parts;
    peer.rxBytes += length;
    timers.authenticatedTraversal(peer);
    timers.authenticatedReceived(peer);
    sessions.learnEndpoint(peer, source);
    this.clear(peer);
    if (!sessions.begin(peer, { state, noise, initiator: true })) return;
    timers.handshakeComplete(peer);
    this.#context.outside.event({ kind: "handshake-completed", peer, initiator: true });
    // Data or a keepalive: the responder may send only after it heard from us.
    sessions.sendKeepalive(peer);
  }

  #send(peer: Peer, endpoint: Endpoint, message: Uint8Array): void {
    peer.txBytes += message.length;
    this.#parts.timers.authenticatedTraversal(peer);
    this.#parts.timers.authenticatedSent(peer);
    this.#context.outside.sendMessage(endpoint, message);
  }

  #finished<Result>(outcome: Outcome<Result>): Result | undefined {
    if (outcome.kind === "identity-failed") this.#context.drops.identityFailed++;
    if (outcome.kind !== "done") return undefined;
    if (outcome.result === undefined || outcome.result === false) {
      this.#context.drops.handshakeRefused++;
    }
    return outcome.result;
  }

  #identityFailed(peer: Peer): void {
    this.#context.outside.event({ kind: "handshake-failed", peer, reason: "identity-failed" });
  }

  #takeState(peer: Peer | undefined): Handshake | undefined {
    const state = Handshake.take(this.#context.pool);
    if (state !== undefined) return state;
    this.#context.drops.noKeyMemory++;
    if (peer !== undefined) {
      this.#context.outside.event({ kind: "handshake-failed", peer, reason: "no-key-memory" });
    }
    return undefined;
  }
}
