import type { Endpoint } from "./endpoint.ts";
import type { Peer } from "./peer.ts";

/** Everything that the core asks of the world. Calls must not re-enter the device. */
export interface Outside {
  /** Sends one handshake message; `message` may be kept. */
  sendMessage(endpoint: Endpoint, message: Uint8Array): void;
  /** Sends `length` bytes of the arena at `offset`. They stay as they are until `reserve` says otherwise. */
  sendData(endpoint: Endpoint, offset: number, length: number): void;
  /** Takes `length` bytes of the arena at `offset` as a received IP packet. */
  deliver(offset: number, length: number): void;
  /**
   * Room for a packet of `length` bytes in the arena, as the offset (a multiple of 16) of its
   * plaintext: 16 bytes in front of it and 32 behind it are free too.
   */
  reserve(length: number): number;
  /** Asks for a Diffie-Hellman with the remote static key; answered by `Device.answerDh`. */
  requestDh(id: number, peerPublicKey: Uint8Array): void;
  event(event: CoreEvent): void;
  random(out: Uint8Array): void;
  /** Milliseconds since 1970; may jump. */
  wallClock(): number;
}

export type CoreEvent =
  | { readonly kind: "handshake-completed"; readonly peer: Peer; readonly initiator: boolean }
  | {
    readonly kind: "handshake-failed";
    readonly peer: Peer;
    readonly reason: "no-answer" | "identity-failed" | "no-key-memory";
  }
  | { readonly kind: "endpoint-changed"; readonly peer: Peer }
  | { readonly kind: "first-data-received"; readonly peer: Peer }
  | {
    /** Its early data is taken; nothing up to its timestamp will be. */
    readonly kind: "announcement-taken";
    readonly peer: Peer;
    /** TAI64N, 12 bytes. */
    readonly timestamp: Uint8Array;
  }
  | { readonly kind: "keys-expired"; readonly peer: Peer };
