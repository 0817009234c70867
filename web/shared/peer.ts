import type { Context } from "hono";

/** What `Deno.serve` says of a connection; tests pass the same shape to `app.request()`. */
export interface PeerEnv {
  Bindings: { remoteAddr?: Deno.Addr };
}

/** The address at the other end of the connection, never a forwarded one; "unknown" without one. */
export function peerAddress(c: Context<PeerEnv>): string {
  const remote = c.env?.remoteAddr;
  return remote !== undefined && "hostname" in remote ? remote.hostname : "unknown";
}

/** True for 127.0.0.0/8, ::1 and their mapped form. */
export function isLoopback(address: string): boolean {
  return address === "::1" || /^(::ffff:)?127\./.test(address);
}
