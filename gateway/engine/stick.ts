/** A stick in the engine's hands: what it says before any password, and what its password opens. */
import { CardGoneError } from "../../token/apdu/channel.ts";
import type { ProfileHead } from "../../token/profile/types.ts";
import { explainStickFault, type StickFault } from "../../token/stick/fault.ts";
import { openMedium } from "../../token/stick/medium.ts";
import {
  checkStickProfile,
  findStick,
  type FoundStick,
  openKey,
  openStickProfile,
} from "../../token/stick/open.ts";
import { insertionOf, watchInsertion } from "../../token/stick/presence.ts";
import type { CardReport, UnlockFailure } from "../session/events.ts";
import type { ProfileFault } from "../view.ts";
import type { LookOptions } from "./card.ts";
import { WRONG_ENTRIES } from "./limits.ts";
import type { EngineSecrets } from "./secrets.ts";
import type { Unlocked } from "./unlock.ts";

/** A stick whose profile may be opened with a password. */
export interface ReadyStick {
  readonly found: FoundStick;
  readonly head: ProfileHead;
  /** The user id is to be typed with the password. */
  readonly asksUserId: boolean;
  triesLeft: number;
}

export type StickLook =
  | { readonly report: Extract<CardReport, { card: "pin-asked" }>; readonly ready: ReadyStick }
  | { readonly report: Exclude<CardReport, { card: "pin-asked" }> };

/**
 * Calls `onGone` when the stick goes.
 * @throws {CardGoneError} when it is gone already.
 */
export function watchStick(path: string, onGone: () => void): void {
  const insertion = insertionOf(path);
  if (insertion === undefined) throw new CardGoneError(`Cannot read ${path}: it is gone`);
  watchInsertion(path, { insertion, onGone });
}

/**
 * Reads what the stick says of itself and checks it. Nothing of it is open afterwards.
 * @throws {CardGoneError} when it was pulled meanwhile.
 */
export async function lookAtStick(path: string, options: LookOptions): Promise<StickLook> {
  const found = await readStick(path, options);
  if ("fault" in found) {
    options.onFault(explainStickFault(found));
    return refused(profileFault(found));
  }
  if (found.damagedTable !== undefined) {
    options.onFault("One copy of the stick's partition table is damaged; have the stick made anew");
  }
  if (found.isHalf) {
    options.onFault(
      "One of the stick's two copies is damaged or old; have the stick renewed again",
    );
  }
  const now = Math.floor(options.now / 1000);
  // The signature first: only a genuine head is worth asking about.
  const genuine = await checkStickProfile(found, { now, highestGeneration: 0 });
  if (genuine.result === "fault") return refused(genuine.fault);
  const { highest, revoked } = await options.askGateway(genuine.head);
  const check = await checkStickProfile(found, {
    now,
    highestGeneration: highest,
    isRevoked: () => revoked,
  });
  if (check.result === "fault") return refused(check.fault);
  const { head } = check;
  const { holder } = head;
  const expiresAt = head.expiresAt * 1000;
  if (check.result === "expired") {
    return { report: { card: "expired", holder, expiredAt: expiresAt } };
  }
  const asksUserId = options.asksUserId === true || head.asksUserId === true;
  const asked = { card: "pin-asked", holder, triesLeft: WRONG_ENTRIES, expiresAt } as const;
  return {
    report: asksUserId ? { ...asked, asksUserId } : asked,
    ready: { found, head, asksUserId, triesLeft: WRONG_ENTRIES },
  };
}

/** Tries the password that is kept in `secrets` where a card's PIN is. */
export async function unlockStick(
  ready: ReadyStick,
  secrets: EngineSecrets,
): Promise<Unlocked | { result: "failed"; why: UnlockFailure }> {
  const identity = await openKey(ready.found, secrets.pin);
  if (identity === "wrong-password") return failed(countWrong(ready, "wrong-pin"));
  const opened = await openStickProfile(ready.found, {
    head: ready.head,
    identity,
    secrets: secrets.profile,
    onFileKey: (fileKey) => secrets.keepFileKey(fileKey),
  });
  if (opened.result === "fault") return failed({ failure: "refused", fault: opened.fault });
  // Only a card asks for it again.
  secrets.forgetPin();
  return opened;
}

/** A stick counts no tries itself: at the last one this engine ends, and the next one waits. */
export function countWrong(ready: ReadyStick, failure: "wrong-pin" | "wrong-id"): UnlockFailure {
  ready.triesLeft -= 1;
  const { triesLeft, asksUserId } = ready;
  if (triesLeft > 0) return { failure, triesLeft };
  const what = asksUserId ? "times a wrong user id or password" : "wrong passwords";
  return { failure: "failed", reason: `${WRONG_ENTRIES} ${what}; wait, then try again` };
}

async function readStick(path: string, options: LookOptions): Promise<FoundStick | StickFault> {
  let medium;
  try {
    medium = await openMedium(path);
  } catch (error) {
    if (insertionOf(path) === undefined) throw new CardGoneError(`Cannot read ${path}: it is gone`);
    options.onFault(error instanceof Error ? error.message : String(error));
    return { fault: "unreadable" };
  }
  using open = medium;
  return await findStick(open, options.issuerKeys);
}

/** As the portal tells it; the journal has the place of the damage. */
function profileFault({ fault }: StickFault): ProfileFault {
  switch (fault) {
    case "no-stick":
      return "none-on-card";
    case "unreadable":
      return "unreadable-card";
    case "forged":
    case "newer-version":
      return fault;
    default:
      return "damaged";
  }
}

function refused(fault: ProfileFault): StickLook {
  return { report: { card: "refused", fault } };
}

function failed(why: UnlockFailure): { result: "failed"; why: UnlockFailure } {
  return { result: "failed", why };
}
