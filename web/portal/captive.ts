import type { GatewayView } from "../../gateway/view.ts";

/** The captive portal API's answer (RFC 8908 section 5). */
export function captiveState(view: GatewayView, portalUrl: string): Response {
  const body = { "captive": isCaptive(view), "user-portal-url": portalUrl };
  return new Response(JSON.stringify(body), {
    headers: { "Content-Type": "application/captive+json", "Cache-Control": "private, no-store" },
  });
}

/** A terminal is held back until a session is up. */
export function isCaptive(view: GatewayView): boolean {
  return view.session().phase !== "up";
}
