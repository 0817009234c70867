/**
 * Which peers have a manual key, by the id in their announcements, and what is remembered of those:
 * the newest timestamp that was taken under each id.
 */
import { Handshake } from "./handshake.ts";
import type { ManualCommon } from "./manual_common.ts";
import { EARLY_CLOCK_SLACK } from "./manual_spec.ts";
import { ManualState } from "./manual_state.ts";
import type { Peer } from "./peer.ts";
import { isLater, timestampOf } from "./timestamp.ts";

export class ManualPeers {
  readonly #common: ManualCommon;
  readonly #peers = new Map<string, Peer>();
  /** Also of peers that are gone: they may come back. */
  readonly #newest = new Map<string, Uint8Array>();
  /** Kept, so that a key can be set however full the memory is. */
  #room: Handshake | undefined;

  constructor(common: ManualCommon) {
    this.#common = common;
  }

  /** Whose announcements name `id`. */
  find(id: Uint8Array): Peer | undefined {
    return this.#peers.get(id.toBase64());
  }

  /**
   * Gives the peer a manual key; the same as before changes nothing. `newerThan`: what the owner
   * remembers of its announcements.
   */
  setKey(peer: Peer, key: Uint8Array, newerThan: Uint8Array | undefined): void {
    const incomingId = this.#incomingId(peer, key);
    const newest = this.#newestUnder(incomingId, newerThan);
    if (peer.manual?.incomingId === incomingId) {
      peer.manual.key = key;
      return;
    }
    this.removeKey(peer);
    peer.manual = new ManualState({ key, incomingId, newest });
    this.#peers.set(incomingId, peer);
  }

  /** Ends all sessions of the peer if it had a manual key. */
  removeKey(peer: Peer): void {
    if (peer.manual === undefined) return;
    this.clear(peer);
    this.#common.parts.sessions.dropAll(peer);
    this.#peers.delete(peer.manual.incomingId);
    peer.manual = undefined;
  }

  /** The interface has another key, and ids depend on it. */
  identityChanged(peer: Peer): void {
    const key = peer.manual?.key;
    if (key === undefined) return;
    this.removeKey(peer);
    this.setKey(peer, key, undefined);
  }

  /** Wipes our announcement and all early keys. */
  clear(peer: Peer): void {
    const { manual } = peer;
    if (manual === undefined) return;
    const { sessions } = this.#common.parts;
    this.#common.forgetAnnounced(peer, manual);
    for (const keypair of [peer.early, manual.incoming, manual.incomingBefore]) {
      sessions.drop(keypair);
    }
    peer.early = undefined;
    manual.incoming = undefined;
    manual.incomingBefore = undefined;
    manual.answered = undefined;
    peer.repeatAt = Infinity;
  }

  #incomingId(peer: Peer, manualKey: Uint8Array): string {
    const room = this.#room ??= Handshake.take(this.#common.context.pool);
    if (room === undefined) {
      throw new RangeError("Cannot set manual key: key memory is too small; give 256 bytes more");
    }
    const { publicKey: receiver } = this.#common.parts.identity;
    const id = this.#common.parts.messages.keyId(room, {
      manualKey,
      sender: peer.publicKey,
      receiver,
    });
    for (const part of [room.chainKey, room.hash]) part.fill(0);
    return id.toBase64();
  }

  #newestUnder(id: string, newerThan: Uint8Array | undefined): Uint8Array {
    const known = this.#newest.get(id);
    if (known !== undefined) {
      if (newerThan !== undefined && isLater(newerThan, known)) known.set(newerThan);
      return known;
    }
    const wallClock = this.#common.context.outside.wallClock();
    const newest = newerThan?.slice() ?? timestampOf(wallClock - EARLY_CLOCK_SLACK);
    this.#newest.set(id, newest);
    return newest;
  }
}
