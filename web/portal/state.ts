import type { GatewayView, PasskeyOffer, SessionPhase, ShareView } from "../../gateway/view.ts";
import { toBase64url } from "../shared/base64url.ts";

/** What `/api/portal` and each `session` event of `/api/events` say: the phase, and whom to seal to. */
export type PortalState = Told<SessionPhase> & {
  /** The gateway's name. */
  readonly gateway: string;
  /** There while a PIN is asked for. */
  readonly target?: {
    readonly engine: string;
    /** 32 bytes (X25519), base64url. */
    readonly publicKey: string;
    /** There where a passkey may do instead. */
    readonly passkey?: PasskeyOffer & PasskeySite & {
      /** Whether this page was reached at that site. */
      readonly here: boolean;
    };
  };
  /** There while somebody uses the shared card or waits for it. */
  readonly share?: PortalShare;
};

/** Where passkeys work: they are bound to a name. */
export interface PasskeySite {
  /** The portal's name, "home.internal". */
  readonly name: string;
  /** The portal there. */
  readonly url: string;
}

/**
 * Whose PIN waits is told to that terminal only. Where the user id is asked for, no terminal is told
 * whose card it is, nor how many tries are left but the last: that says whether a PIN was right. Whose card it is
 * that can't be used concerns nobody on the LAN: its holder knows, and nothing is asked of anybody else.
 */
export type Told<P> = P extends { readonly phase: "suspended" }
  ? Veiled<Omit<P, "from">> & { readonly mine: boolean }
  : P extends { readonly phase: "pin-asked" | "unlocking" } ? Veiled<P>
  : P extends { readonly phase: "expired" | "blocked" } ? Omit<P, "holder">
  : P;

type Veiled<P> =
  & Omit<P, "holder" | "triesLeft">
  & Partial<Pick<P, Extract<keyof P, "holder" | "triesLeft">>>;

/** The shared card, seen from one terminal. Times are Unix milliseconds. */
export interface PortalShare {
  /** Who has the card; `mine`: this terminal. */
  readonly holder?: {
    readonly label: string;
    readonly since: number;
    readonly until: number;
    readonly mine: boolean;
  };
  readonly waiting: number;
  /** This terminal's place in the queue, 1 for the next. */
  readonly place?: number;
}

/**
 * @param gateway The gateway's name.
 * @param terminal The asking terminal, as the shared card's queue names it.
 * @param address The same, as a PIN's sender is named.
 * @param site Where passkeys work; left out: nowhere. `here`: this page is there.
 */
export function portalState(
  view: GatewayView,
  { session, gateway, terminal, address, site }: {
    session: SessionPhase;
    gateway: string;
    terminal?: string | undefined;
    address: string;
    site?: PasskeySite & { readonly here: boolean } | undefined;
  },
): PortalState {
  const share = portalShare(view.share(), terminal);
  const target = session.phase === "pin-asked" ? view.pinTarget() : undefined;
  return {
    ...told(session, address),
    gateway,
    ...(target && {
      target: {
        engine: target.engine,
        publicKey: toBase64url(target.publicKey),
        ...(target.passkey && site && { passkey: { ...target.passkey, ...site } }),
      },
    }),
    ...(share && { share }),
  };
}

function told(session: SessionPhase, address: string): Told<SessionPhase> {
  switch (session.phase) {
    case "pin-asked": {
      const { triesLeft, ...rest } = veiled(session);
      return session.asksUserId && triesLeft !== 1 ? rest : { ...rest, triesLeft };
    }
    case "unlocking":
      return veiled(session);
    case "suspended": {
      const { from, ...rest } = veiled(session);
      return { ...rest, mine: from === address };
    }
    case "expired":
    case "blocked": {
      const { holder: _unsaid, ...rest } = session;
      return rest;
    }
    default:
      return session;
  }
}

function veiled<P extends { readonly holder: string; readonly asksUserId?: true }>(
  session: P,
): Omit<P, "holder"> & { holder?: string } {
  if (!session.asksUserId) return session;
  const { holder: _holder, ...rest } = session;
  return rest;
}

function portalShare(
  share: ShareView | undefined,
  terminal: string | undefined,
): PortalShare | undefined {
  if (share === undefined || (share.holder === undefined && share.waitingInAll === 0)) {
    return undefined;
  }
  const { holder } = share;
  const place = share.waiting.findIndex((one) => one.terminal === terminal);
  return {
    ...(holder && {
      holder: {
        label: holder.label,
        since: holder.since,
        until: holder.until,
        mine: holder.terminal === terminal,
      },
    }),
    waiting: share.waitingInAll,
    ...(place >= 0 && { place: place + 1 }),
  };
}
