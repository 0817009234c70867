import type { KeySlot } from "./key_pool.ts";
import { ReplayWindow } from "./replay_window.ts";
import type { Peer } from "./peer.ts";
import { REJECT_AFTER_MESSAGES, REJECT_AFTER_TIME } from "./spec.ts";

/** The keys of one session (whitepaper 5.4.5): sending key first, receiving key second in the slot. */
export class Keypair {
  readonly peer: Peer;
  readonly slot: KeySlot;
  readonly sendKey: Uint8Array;
  readonly receiveKey: Uint8Array;
  readonly initiator: boolean;
  readonly localIndex: number;
  readonly remoteIndex: number;
  readonly createdAt: number;
  /** Counter of the next message sent. */
  sendCounter = 0;
  /** Set when the session may receive but not send any more. */
  sendEnded = false;
  carriedData = false;
  #window: ReplayWindow | undefined;

  constructor(
    parts: Pick<
      Keypair,
      "peer" | "slot" | "initiator" | "localIndex" | "remoteIndex" | "createdAt"
    >,
  ) {
    this.peer = parts.peer;
    this.slot = parts.slot;
    this.sendKey = parts.slot.first;
    this.receiveKey = parts.slot.second;
    this.initiator = parts.initiator;
    this.localIndex = parts.localIndex;
    this.remoteIndex = parts.remoteIndex;
    this.createdAt = parts.createdAt;
  }

  /** Whether it may send at `now`. */
  usable(now: number): boolean {
    return !this.sendEnded && this.sendCounter < REJECT_AFTER_MESSAGES &&
      now - this.createdAt < REJECT_AFTER_TIME;
  }

  /** Made at first use: a configured peer that sends nothing costs no kilobyte. */
  get window(): ReplayWindow {
    this.#window ??= new ReplayWindow();
    return this.#window;
  }
}
