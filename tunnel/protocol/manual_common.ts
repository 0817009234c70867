/** What the parts of the manual protocol share. */
import type { Admission } from "./admission.ts";
import type { Context } from "./context.ts";
import type { Endpoint } from "./endpoint.ts";
import { Handshake, type Noise } from "./handshake.ts";
import type { IdentityQueue } from "./identity.ts";
import type { Indices } from "./indices.ts";
import type { KeySlot } from "./key_pool.ts";
import type { ManualMessages } from "./manual_messages.ts";
import type { ManualState } from "./manual_state.ts";
import type { Peer } from "./peer.ts";
import type { Sessions } from "./sessions.ts";
import { TIMESTAMP_LENGTH } from "./spec.ts";
import type { TimestampSource } from "./timestamp.ts";
import type { Timers } from "./timers.ts";

export interface ManualParts {
  readonly identity: IdentityQueue;
  readonly admission: Admission;
  readonly timestamps: TimestampSource;
  readonly messages: ManualMessages;
  readonly noise: Noise;
  readonly indices: Indices;
  readonly timers: Timers;
  readonly sessions: Sessions;
}

/** What all of them do alike. */
export class ManualCommon {
  readonly context: Context;
  readonly parts: ManualParts;

  constructor(context: Context, parts: ManualParts) {
    this.context = context;
    this.parts = parts;
  }

  now(): Uint8Array {
    const timestamp = new Uint8Array(TIMESTAMP_LENGTH);
    this.parts.timestamps.write(timestamp, this.context.outside.wallClock());
    return timestamp;
  }

  sendTo(peer: Peer, endpoint: Endpoint, message: Uint8Array): void {
    peer.cookies.addMacs(message, this.context.now);
    peer.txBytes += message.length;
    this.parts.timers.authenticatedTraversal(peer);
    this.parts.timers.authenticatedSent(peer);
    this.context.outside.sendMessage(endpoint, message);
  }

  /** Something genuine and new came from the peer. */
  heard(peer: Peer, source: Endpoint, length: number): void {
    peer.rxBytes += length;
    this.parts.timers.authenticatedTraversal(peer);
    this.parts.timers.authenticatedReceived(peer);
    this.parts.sessions.learnEndpoint(peer, source);
  }

  /** Our announcement stands no longer. Its key stays if packets go out under it. */
  forgetAnnounced(peer: Peer, manual: ManualState): void {
    const { announced } = manual;
    if (announced === undefined) return;
    manual.announced = undefined;
    this.parts.indices.announcements.delete(announced.state.localIndex);
    announced.state.release();
    if (announced.keypair !== peer.early) this.parts.sessions.drop(announced.keypair);
  }

  takeSlot(peer: Peer): KeySlot | undefined {
    const slot = this.parts.sessions.takeSlot(peer);
    if (slot === undefined) this.#noMemory(peer);
    return slot;
  }

  takeState(peer: Peer): Handshake | undefined {
    const state = Handshake.take(this.context.pool);
    if (state === undefined) this.#noMemory(peer);
    return state;
  }

  #noMemory(peer: Peer): void {
    this.context.drops.noKeyMemory++;
    this.context.outside.event({ kind: "handshake-failed", peer, reason: "no-key-memory" });
  }
}
