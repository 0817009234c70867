import type { GatewayView, SessionPhase, ShareView } from "../../gateway/view.ts";
import { toBase64url } from "../shared/base64url.ts";

/** What `/api/portal` and each `session` event of `/api/events` say: the phase, and whom to seal to. */
export type PortalState = SessionPhase & {
  /** The gateway's name. */
  readonly gateway: string;
  /** There while a PIN is asked for. */
  readonly target?: {
    readonly engine: string;
    /** 32 bytes (X25519), base64url. */
    readonly publicKey: string;
  };
  /** There while somebody uses the shared card or waits for it. */
  readonly share?: PortalShare;
};

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
 */
export function portalState(
  view: GatewayView,
  { session, gateway, terminal }: {
    session: SessionPhase;
    gateway: string;
    terminal?: string | undefined;
  },
): PortalState {
  const share = portalShare(view.share(), terminal);
  const target = session.phase === "pin-asked" ? view.pinTarget() : undefined;
  return {
    ...session,
    gateway,
    ...(target && {
      target: { engine: target.engine, publicKey: toBase64url(target.publicKey) },
    }),
    ...(share && { share }),
  };
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
