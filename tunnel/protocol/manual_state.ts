import type { Handshake } from "./handshake.ts";
import type { Keypair } from "./keypair.ts";

/** Our announcement that stands: it waits for an answer, or does without one. */
export interface Announced {
  /** What an answer is read with. */
  readonly state: Handshake;
  readonly message: Uint8Array;
  /** Sends only; `peer.early` once it is in use. */
  readonly keypair: Keypair;
  /** How often it was sent. */
  times: number;
}

/** What a peer with a manual key has besides. Data only: what happens to it is in `Announcements`. */
export class ManualState {
  /** A view of the caller's memory. */
  key: Uint8Array;
  /** Names the key in the peer's announcements, in base64. */
  readonly incomingId: string;
  /** The newest timestamp that was taken under this id: one array for as long as the device is there. */
  readonly newest: Uint8Array;
  announced: Announced | undefined;
  /** `peer.rxBytes` when the announcing began. */
  heardBefore = 0;
  /** The peer's early sessions, the newest first: they receive only. */
  incoming: Keypair | undefined;
  incomingBefore: Keypair | undefined;
  /** Our answer that the peer hasn't used yet, and the nonce of what it answers. */
  answered:
    | { readonly nonce: Uint8Array; readonly message: Uint8Array; readonly keypair: Keypair }
    | undefined;

  constructor(parts: { key: Uint8Array; incomingId: string; newest: Uint8Array }) {
    this.key = parts.key;
    this.incomingId = parts.incomingId;
    this.newest = parts.newest;
  }
}
