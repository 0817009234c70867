/** The engine's look at the card before any PIN: whose it is, and whether its profile may be used. */
import {
  CardGarbledError,
  CardGoneError,
  CardRefusedError,
  CardSilentError,
} from "../../token/apdu/channel.ts";
import { openCard } from "../../token/pcsc/session.ts";
import { type CardSession, PcscError, type PcscFault } from "../../token/pcsc/types.ts";
import type { ProfileStore } from "../../token/profile/store_client.ts";
import { checkHead } from "../../token/profile/head.ts";
import type { HeadContext, IssuerKey, ProfileHead } from "../../token/profile/types.ts";
import type { CardReport } from "../session/events.ts";
import type { ProfileFault } from "../view.ts";
import { findProfile, type ProfileCarrier } from "./find_profile.ts";
import { type HeldCard, holdOpenPgp, holdPiv } from "./held_card.ts";
import { CARD_ANSWER_MS } from "./limits.ts";

/** A card whose profile may be opened with a PIN. */
export interface ReadyCard {
  readonly card: HeldCard;
  readonly head: ProfileHead;
  readonly sealed: Uint8Array;
  /** Where the profile lay. */
  readonly carrier: ProfileCarrier;
  /** The user id is to be typed with the PIN. */
  readonly asksUserId: boolean;
}

export interface LookOptions {
  readonly issuerKeys: readonly IssuerKey[];
  /** Unix milliseconds. */
  readonly now: number;
  /** What the gateway knows of a genuine profile: the highest generation seen of its card, and whether it was taken back. */
  readonly askGateway: (head: ProfileHead) => Promise<{ highest: number; revoked: boolean }>;
  /** Where profiles lie whose cards have no room. */
  readonly profiles?: string;
  /** A hub that keeps such profiles. */
  readonly store?: ProfileStore;
  /** The gateway wants the user id typed, whatever the profile says. */
  readonly asksUserId?: boolean;
  /** Hears why a card is unreadable, for the journal. */
  readonly onFault: (message: string) => void;
}

export type Look =
  | { readonly report: Extract<CardReport, { card: "pin-asked" }>; readonly ready: ReadyCard }
  | {
    readonly report: Exclude<CardReport, { card: "pin-asked" }>;
    /** The application that was looked at; absent when the card has none that we use. */
    readonly card?: HeldCard;
    readonly carrier?: ProfileCarrier;
  };

/** How long the engine before this one may still hold the card, in milliseconds. */
const HANDOVER_MS = 2_000;
const HANDOVER_STEP_MS = 20;
/** The one before holds the card, or the reset at its end has left the card without an answer. */
const PASSING: readonly PcscFault[] = ["sharing", "mute-card"];

/** Takes the card exclusively, waiting a little for what passes by itself. */
export async function takeCard(reader: string): Promise<CardSession> {
  for (let waited = 0;; waited += HANDOVER_STEP_MS) {
    try {
      return await openCard(reader, { timeoutMs: CARD_ANSWER_MS });
    } catch (error) {
      const passing = error instanceof PcscError && PASSING.includes(error.fault);
      if (!passing || waited >= HANDOVER_MS) throw error;
      await new Promise((resolve) => setTimeout(resolve, HANDOVER_STEP_MS));
    }
  }
}

/**
 * Reads what the card says of itself and checks it, without spending a try.
 * @throws {CardGoneError} when the card was pulled meanwhile.
 */
export async function lookAtCard(session: CardSession, options: LookOptions): Promise<Look> {
  try {
    return await look(session, options);
  } catch (error) {
    if (error instanceof CardGoneError) throw error;
    const isUnreadable = error instanceof CardSilentError || error instanceof CardGarbledError ||
      error instanceof CardRefusedError;
    if (!isUnreadable) throw error;
    options.onFault(error.message);
    return refused("unreadable-card");
  }
}

/** The PIV application first: it alone can hold the profile itself, and do handshakes. */
async function look(session: CardSession, options: LookOptions): Promise<Look> {
  const piv = await holdPiv(session);
  const first = piv && await lookAtApplication(session, piv, options);
  const isElsewhere = first === undefined || isWithoutProfile(first);
  const openPgp = isElsewhere ? await holdOpenPgp(session) : undefined;
  const second = openPgp && await lookAtApplication(session, openPgp, options);
  if (second !== undefined && (first === undefined || !isWithoutProfile(second))) return second;
  return first ?? refused("unknown-kind");
}

async function lookAtApplication(
  session: CardSession,
  card: HeldCard,
  options: LookOptions,
): Promise<Look> {
  const context = ({ highest, revoked }: { highest: number; revoked: boolean }): HeadContext => ({
    issuerKeys: options.issuerKeys,
    cardId: card.id,
    now: Math.floor(options.now / 1000),
    highestGeneration: highest,
    isRevoked: () => revoked,
  });
  // The signature first: only a genuine head is worth asking about.
  const found = await findProfile(card, {
    ...options,
    check: (head) => checkHead(head, context({ highest: 0, revoked: false })),
  });
  if ("fault" in found) return { ...refused(found.fault), card };
  const { carrier } = found;
  const known = await options.askGateway(found.head);
  const check = await checkHead(found.bytes, context(known));
  if (check.result === "fault") return { ...refused(check.fault), card };
  const { head } = check;
  const expiresAt = head.expiresAt * 1000;
  if (check.result === "expired") {
    const { holder } = head;
    return { report: { card: "expired", holder, expiredAt: expiresAt }, card, carrier };
  }
  if (card.application === "openpgp" && card.publicKey === undefined) {
    return { ...refused("other-card"), card };
  }
  const sealed = await found.readSealed();
  if (sealed === undefined) return { ...refused("damaged"), card };
  const pin = await freshPinStatus(session, card);
  if (pin.state === "blocked") {
    return { report: { card: "blocked", holder: head.holder }, card, carrier };
  }
  const { holder } = head;
  const asksUserId = options.asksUserId === true || head.asksUserId === true;
  const asked = { card: "pin-asked", holder, triesLeft: pin.triesLeft, expiresAt } as const;
  return {
    report: asksUserId ? { ...asked, asksUserId } : asked,
    ready: { card, head, sealed, carrier, asksUserId },
  };
}

function isWithoutProfile({ report }: Look): boolean {
  return report.card === "refused" && report.fault === "none-on-card";
}

/** The PIN's state after nobody's verification: an earlier user's is reset away. */
export async function freshPinStatus(session: Pick<CardSession, "reset">, { client }: HeldCard) {
  const status = await client.pinStatus();
  if (status.state !== "verified") return status;
  await session.reset();
  await client.select();
  const again = await client.pinStatus();
  if (again.state === "verified") {
    throw new CardGarbledError("Cannot trust the card: its PIN stays verified after a reset");
  }
  return again;
}

function refused(
  fault: ProfileFault,
): { report: Extract<CardReport, { card: "refused" }>; card?: HeldCard } {
  return { report: { card: "refused", fault } };
}
