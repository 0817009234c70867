/** What goes into the card session's core and what comes out of it. */
import type { PasskeyOffer, PinOutcome, ProfileFault, SealedPin, SessionPhase } from "../view.ts";
import type { JournalLevel } from "../view.ts";
import type { Grant } from "./grant.ts";

/** Numbers the engines of this gateway's life; an event of an earlier run is stale. */
export type EngineRun = number & { readonly __brand: "EngineRun" };

export interface ReaderState {
  readonly name: string;
  readonly card: "absent" | "present" | "mute";
  /** Grows with every insertion and removal that the PC/SC service saw. */
  readonly counter: number;
  /** What it takes; left out: cards. */
  readonly token?: "stick";
}

/** What an engine found on the card before any PIN. */
export type CardReport =
  | {
    readonly card: "pin-asked";
    readonly holder: string;
    readonly triesLeft: number;
    readonly expiresAt: number;
    /** The user id is to be typed with the PIN. */
    readonly asksUserId?: true;
    readonly passkey?: PasskeyOffer;
  }
  | { readonly card: "expired"; readonly holder: string; readonly expiredAt: number }
  | { readonly card: "blocked"; readonly holder: string }
  | { readonly card: "refused"; readonly fault: ProfileFault };

/** How an attempt to unlock ended, seen from the engine; success is a grant. */
export type UnlockFailure =
  | { readonly failure: "wrong-pin"; readonly triesLeft: number }
  /** The PIN was right, and the user id that came with it was not the profile's. */
  | { readonly failure: "wrong-id"; readonly triesLeft: number }
  /** It opens another profile. The card's own tries are untouched. */
  | { readonly failure: "wrong-passkey"; readonly triesLeft: number }
  | { readonly failure: "blocked" }
  | { readonly failure: "not-sealed-to-me" }
  /** It waited for the card, and its terminal gave up. */
  | { readonly failure: "given-up" }
  /** It waited for the card, and meanwhile a terminal left only one try. */
  | { readonly failure: "last-try"; readonly triesLeft: number }
  | { readonly failure: "refused"; readonly fault: ProfileFault }
  | { readonly failure: "failed"; readonly reason: string };

export type SessionEvent =
  | { readonly type: "readers"; readonly readers: readonly ReaderState[] }
  | {
    readonly type: "engine-hello";
    readonly run: EngineRun;
    readonly engine: string;
    readonly publicKey: Uint8Array;
  }
  | { readonly type: "engine-card"; readonly run: EngineRun; readonly report: CardReport }
  | { readonly type: "engine-unlock-failed"; readonly run: EngineRun; readonly why: UnlockFailure }
  /** A terminal has the card, for so long at most; the PIN is tried when it is back. */
  | {
    readonly type: "engine-pin-waits";
    readonly run: EngineRun;
    readonly label: string;
    readonly leftMs: number;
  }
  | { readonly type: "engine-pin-begins"; readonly run: EngineRun }
  /** It still works on the PIN that is tried. */
  | { readonly type: "engine-unlock-goes-on"; readonly run: EngineRun }
  /** What terminals left of the PIN's tries. */
  | { readonly type: "engine-tries"; readonly run: EngineRun; readonly triesLeft: number }
  /** The card waits for a touch of its key, or does so no longer. */
  | { readonly type: "engine-touch"; readonly run: EngineRun; readonly wanted: boolean }
  | { readonly type: "engine-grant"; readonly run: EngineRun; readonly grant: Grant }
  /** The engine saw the card go; it wipes its keys and ends by itself. */
  | { readonly type: "engine-card-gone"; readonly run: EngineRun }
  /** The machine slept; the engine has wiped its keys and ends by itself. */
  | { readonly type: "engine-slept"; readonly run: EngineRun; readonly sleptMs: number }
  | { readonly type: "engine-ended"; readonly run: EngineRun; readonly reason: string }
  | { readonly type: "grant-applied"; readonly run: EngineRun }
  | { readonly type: "grant-failed"; readonly run: EngineRun; readonly reason: string }
  | {
    readonly type: "pin";
    readonly ticket: number;
    readonly from: string;
    readonly sealed: SealedPin;
  }
  /** Its terminal no longer waits. */
  | { readonly type: "pin-given-up"; readonly from: string }
  /** The issuer took the profile of this engine's card back. */
  | { readonly type: "revoked"; readonly run: EngineRun; readonly reason: string }
  | { readonly type: "lock"; readonly by: string }
  | { readonly type: "stop" }
  | { readonly type: "tick" };

export type SessionCommand =
  | { readonly type: "start-engine"; readonly run: EngineRun; readonly reader: string }
  /** Ask the engine to wipe and end. */
  | { readonly type: "end-engine"; readonly run: EngineRun }
  | { readonly type: "kill-engine"; readonly run: EngineRun }
  | { readonly type: "relay-pin"; readonly run: EngineRun; readonly sealed: SealedPin }
  /** Ask the engine to forget the PIN that waits for the card. */
  | { readonly type: "drop-pin"; readonly run: EngineRun }
  | { readonly type: "answer-pin"; readonly ticket: number; readonly outcome: PinOutcome }
  | { readonly type: "apply-grant"; readonly run: EngineRun; readonly grant: Grant }
  | { readonly type: "revoke-grant" }
  | {
    readonly type: "journal";
    readonly level: JournalLevel;
    readonly event: string;
    readonly detail: Record<string, string | number>;
  }
  | { readonly type: "phase"; readonly phase: SessionPhase };
