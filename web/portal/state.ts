import type { GatewayView, SessionPhase } from "../../gateway/view.ts";
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
};

/** @param gateway The gateway's name. */
export function portalState(
  view: GatewayView,
  { session, gateway }: { session: SessionPhase; gateway: string },
): PortalState {
  const target = session.phase === "pin-asked" ? view.pinTarget() : undefined;
  return {
    ...session,
    gateway,
    ...(target && {
      target: { engine: target.engine, publicKey: toBase64url(target.publicKey) },
    }),
  };
}
