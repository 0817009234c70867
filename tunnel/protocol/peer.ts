import type { Due } from "./deadlines.ts";
import type { CookieGenerator } from "./cookie.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Handshake, StaticSecret } from "./handshake.ts";
import type { KeySlot } from "./key_pool.ts";
import type { Keypair } from "./keypair.ts";
import type { ManualState } from "./manual_state.ts";
import { KEY_LENGTH, TIMESTAMP_LENGTH } from "./spec.ts";

const NO_PRESHARED_KEY = new Uint8Array(KEY_LENGTH);

/** All state about one peer. Data only: what happens to it is in `Handshakes`, `Sessions`, `Timers`. */
export class Peer implements Due, StaticSecret {
  readonly publicKey: Uint8Array;
  readonly cookies: CookieGenerator;
  /** The Diffie-Hellman of both static keys, in the slot's first half, once it was needed. */
  staticSecret: KeySlot | undefined;
  /** A view of the caller's memory; zeros mean none. */
  presharedKey: Uint8Array = NO_PRESHARED_KEY;
  endpoint: Endpoint | undefined;
  removed = false;

  /** Our initiation that waits for its response. */
  handshake: Handshake | undefined;
  lastInitiationSentAt = -Infinity;
  lastInitiationConsumedAt = -Infinity;
  readonly lastTimestamp: Uint8Array = new Uint8Array(TIMESTAMP_LENGTH);
  attempts = 0;
  sentLastMinuteHandshake = false;

  current: Keypair | undefined;
  previous: Keypair | undefined;
  /** As responder: a session that the initiator hasn't used yet. */
  next: Keypair | undefined;

  /** With a manual key: what sends while no answered session can. */
  early: Keypair | undefined;
  /** There for as long as the peer has a manual key. */
  manual: ManualState | undefined;

  /** Plaintext packets that wait for a session; an empty one is a keepalive. */
  queue: Uint8Array[] = [];

  /** Seconds, 0 for off. */
  persistentKeepalive = 0;
  needAnotherKeepalive = false;
  /** Milliseconds since 1970, 0 for never. */
  lastHandshake = 0;
  rxBytes = 0;
  txBytes = 0;

  /** Deadlines, Infinity for none. */
  retransmitAt = Infinity;
  keepaliveAt = Infinity;
  newHandshakeAt = Infinity;
  zeroKeysAt = Infinity;
  persistentAt = Infinity;
  /** When the announcement is sent once more. */
  repeatAt = Infinity;
  wakeAt = Infinity;

  constructor(publicKey: Uint8Array, cookies: CookieGenerator) {
    this.publicKey = publicKey;
    this.cookies = cookies;
  }

  get hasPresharedKey(): boolean {
    return this.presharedKey.some((byte) => byte !== 0);
  }

  clearPresharedKey(): void {
    this.presharedKey = NO_PRESHARED_KEY;
  }
}
