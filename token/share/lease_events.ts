/** What goes into the queue for a shared card and what comes out of it. @core */

/** Numbers the leases of one insertion of a card. */
export type LeaseId = number & { readonly __brand: "LeaseId" };

/** Why a lease, or the wait for one, ended. */
export type LeaseEnd =
  /** Its terminal gave it back, or hung up. */
  | "released"
  /** Its terminal stopped waiting. */
  | "gave-up"
  | "idle"
  | "hard-limit"
  | "waited-too-long"
  /** An administrator took it. */
  | "revoked"
  | "not-shared";

/** Why a request isn't even queued. */
export type LeaseRefusal = "not-shared" | "too-many-of-one" | "too-many";

/** How the card's own session uses it. */
export type OwnNeeds =
  /** Nothing of the card is needed once it is unlocked. */
  | "none"
  /** Each handshake of the tunnel runs on the card. */
  | "handshakes";

export type LeaseEvent =
  /** The card may be lent from now on; said again when what its session needs has changed. */
  | { readonly type: "open"; readonly needs: OwnNeeds }
  | { readonly type: "close" }
  | {
    readonly type: "request";
    readonly lease: LeaseId;
    /** Tells terminals apart. */
    readonly terminal: string;
    /** What people know the terminal by. */
    readonly label: string;
  }
  /** The terminal releases its lease, or gives up waiting. */
  | { readonly type: "leave"; readonly lease: LeaseId }
  | { readonly type: "exchange-began"; readonly lease: LeaseId }
  | { readonly type: "exchange-ended"; readonly lease: LeaseId }
  /** The card was reset for the lease that `prepare` named. */
  | { readonly type: "prepared" }
  /** The card was reset after a lease and is as its session needs it. */
  | { readonly type: "restored" }
  /** A handshake that this side began has ended well. */
  | { readonly type: "session-fresh" }
  | { readonly type: "revoke" }
  /** The holder needs the card next, before all who wait. */
  | { readonly type: "own-wanted" }
  /** And needs it no more, or gives up waiting for it. */
  | { readonly type: "own-done" }
  | { readonly type: "tick" };

export type LeaseCommand =
  | { readonly type: "refuse"; readonly lease: LeaseId; readonly why: LeaseRefusal }
  /** Renew the tunnel's session; `session-fresh` answers. */
  | { readonly type: "rekey" }
  /** Take away every PIN state and selection; `prepared` answers. */
  | { readonly type: "prepare"; readonly lease: LeaseId }
  | {
    readonly type: "grant";
    readonly lease: LeaseId;
    /** In the milliseconds of `now`. */
    readonly hardAt: number;
  }
  | { readonly type: "end"; readonly lease: LeaseId; readonly reason: LeaseEnd }
  /** Take away what the lease left on the card, and bring back the session's own; `restored` answers. */
  | { readonly type: "restore" }
  /** The card is the holder's until `own-done`. */
  | { readonly type: "own-granted" };
