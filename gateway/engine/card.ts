/** The engine's look at the card before any PIN: whose it is, and whether its profile may be used. */
import { CardGarbledError, CardGoneError, CardSilentError } from "../../token/apdu/channel.ts";
import { openCard } from "../../token/pcsc/session.ts";
import { type CardSession, PcscError, type PcscFault } from "../../token/pcsc/types.ts";
import { type PivClient, selectPiv } from "../../token/piv/client.ts";
import { PivRefusedError } from "../../token/piv/client_types.ts";
import { readHead, readSealed } from "../../token/profile/carrier.ts";
import { checkHead } from "../../token/profile/head.ts";
import type { HeadContext, IssuerKey, ProfileHead } from "../../token/profile/types.ts";
import type { CardReport } from "../session/events.ts";
import type { ProfileFault } from "../view.ts";
import { CARD_ANSWER_MS } from "./limits.ts";

/** A card whose profile may be opened with a PIN. */
export interface ReadyCard {
  readonly piv: PivClient;
  readonly head: ProfileHead;
  readonly sealed: Uint8Array;
}

export interface LookOptions {
  readonly issuerKeys: readonly IssuerKey[];
  /** Unix milliseconds. */
  readonly now: number;
  /** What the gateway knows of a genuine profile: the highest generation seen of its card, and whether it was taken back. */
  readonly askGateway: (head: ProfileHead) => Promise<{ highest: number; revoked: boolean }>;
  /** Hears why a card is unreadable, for the journal. */
  readonly onFault: (message: string) => void;
}

export type Look =
  | { readonly report: Extract<CardReport, { card: "pin-asked" }>; readonly ready: ReadyCard }
  | { readonly report: Exclude<CardReport, { card: "pin-asked" }> };

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
    if (error instanceof CardSilentError || error instanceof CardGarbledError) {
      options.onFault(error.message);
      return refused("unreadable-card");
    }
    if (error instanceof PivRefusedError) return refused("not-a-piv-card");
    throw error;
  }
}

async function look(session: CardSession, options: LookOptions): Promise<Look> {
  const piv = await selectPiv(session);
  const cardId = await piv?.cardId();
  if (piv === undefined || cardId === undefined) return refused("not-a-piv-card");
  const read = await readHead(piv);
  if (read.result === "fault") return refused(read.fault);
  const context = ({ highest, revoked }: { highest: number; revoked: boolean }): HeadContext => ({
    issuerKeys: options.issuerKeys,
    cardId,
    now: Math.floor(options.now / 1000),
    highestGeneration: highest,
    isRevoked: () => revoked,
  });
  // The signature first: only a genuine head is worth asking about.
  const genuine = await checkHead(read.carried.head, context({ highest: 0, revoked: false }));
  if (genuine.result === "fault") return refused(genuine.fault);
  const known = await options.askGateway(genuine.head);
  const check = await checkHead(read.carried.head, context(known));
  if (check.result === "fault") return refused(check.fault);
  const { head } = check;
  const expiresAt = head.expiresAt * 1000;
  if (check.result === "expired") {
    return { report: { card: "expired", holder: head.holder, expiredAt: expiresAt } };
  }
  const sealed = await readSealed(piv, read.carried);
  if (sealed === undefined) return refused("damaged");
  const pin = await freshPinStatus(session, piv);
  if (pin.state === "blocked") return { report: { card: "blocked", holder: head.holder } };
  return {
    report: { card: "pin-asked", holder: head.holder, triesLeft: pin.triesLeft, expiresAt },
    ready: { piv, head, sealed },
  };
}

/** The PIN's state after nobody's verification: an earlier user's is reset away. */
async function freshPinStatus(session: CardSession, piv: PivClient) {
  const status = await piv.pinStatus();
  if (status.state !== "verified") return status;
  await session.reset();
  await piv.select();
  const again = await piv.pinStatus();
  if (again.state === "verified") {
    throw new CardGarbledError("Cannot trust the card: its PIN stays verified after a reset");
  }
  return again;
}

function refused(fault: ProfileFault): Look {
  return { report: { card: "refused", fault } };
}
