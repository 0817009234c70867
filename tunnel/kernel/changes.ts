/**
 * What happened to an interface in the kernel, told from how it looks now and looked before: the
 * kernel itself tells nothing. No I/O; times in milliseconds, of a clock that never steps back where
 * not said otherwise.
 */
import type { PeerStatus, PublicKey, TunnelEvent } from "../api.ts";
import { REJECT_AFTER_TIME, REKEY_ATTEMPT_TIME, REKEY_TIMEOUT } from "../protocol/spec.ts";

type Seen = Omit<PeerStatus, "sessionAlive">;

/** Nothing but keepalives of 32 bytes and handshake messages is smaller. */
const LEAST_DATA = 96;
/** How long after its last handshake a peer's keys are gone. */
const KEYS_LIVE = 3 * REJECT_AFTER_TIME;

interface Known {
  peer: Seen;
  /** Since when our initiations go unanswered. */
  callingSince: number | undefined;
  /** Bytes received when the session began, until data came on it. */
  waitingForData: number | undefined;
  expired: boolean;
}

export class Changes {
  readonly #known = new Map<PublicKey, Known>();

  /** `date`: milliseconds since 1970, as the kernel gives handshake times. */
  look(peers: readonly Seen[], { now, date }: { now: number; date: number }): TunnelEvent[] {
    const events: TunnelEvent[] = [];
    const present = new Set(peers.map(({ publicKey }) => publicKey));
    for (const key of this.#known.keys()) if (!present.has(key)) this.#known.delete(key);
    for (const peer of peers) {
      const known = this.#known.get(peer.publicKey) ?? this.#meet(peer);
      this.#compare(known, { peer, now, date, events });
      known.peer = peer;
    }
    return events;
  }

  #meet(peer: Seen): Known {
    // As it was made: a handshake may be over before anybody looks.
    const before: Seen = { ...peer, lastHandshake: 0, rxBytes: 0, txBytes: 0 };
    const known = {
      peer: before,
      callingSince: undefined,
      waitingForData: undefined,
      expired: true,
    };
    this.#known.set(peer.publicKey, known);
    return known;
  }

  #compare(
    known: Known,
    { peer, now, date, events }: { peer: Seen; now: number; date: number; events: TunnelEvent[] },
  ): void {
    const before = known.peer;
    const { publicKey } = peer;
    if (peer.lastHandshake !== before.lastHandshake) {
      // Which of the two began isn't told.
      events.push({ kind: "handshake-completed", peer: publicKey, role: "unknown" });
      known.callingSince = undefined;
      known.waitingForData = before.rxBytes;
      known.expired = false;
    }
    if (peer.endpoint !== undefined && peer.endpoint !== before.endpoint) {
      events.push({ kind: "endpoint-changed", peer: publicKey, endpoint: peer.endpoint });
    }
    if (
      known.waitingForData !== undefined && peer.rxBytes - known.waitingForData > 2 * LEAST_DATA
    ) {
      events.push({ kind: "first-data-received", peer: publicKey });
      known.waitingForData = undefined;
    }
    if (!known.expired && date - peer.lastHandshake >= KEYS_LIVE) {
      events.push({ kind: "keys-expired", peer: publicKey });
      known.expired = true;
    }
    this.#call(known, { peer, now, date, events });
  }

  /** The kernel calls again each five seconds, and gives up after 90: then this is told too. */
  #call(
    known: Known,
    { peer, now, date, events }: { peer: Seen; now: number; date: number; events: TunnelEvent[] },
  ): void {
    const before = known.peer;
    const silent = peer.rxBytes === before.rxBytes;
    const stale = date - peer.lastHandshake >= REJECT_AFTER_TIME;
    if (!silent || !stale) {
      known.callingSince = undefined;
    } else if (peer.txBytes !== before.txBytes) {
      known.callingSince ??= now;
    }
    if (
      known.callingSince !== undefined &&
      now - known.callingSince >= REKEY_ATTEMPT_TIME + REKEY_TIMEOUT
    ) {
      known.callingSince = undefined;
      events.push({ kind: "handshake-failed", peer: peer.publicKey, reason: "no-answer" });
    }
  }
}
