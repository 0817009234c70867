import type { Grant } from "../session/grant.ts";

/** All that the switch, the routes and the DNS need to know of a session. A `Grant` is one. */
export type SessionGrant = Pick<
  Grant,
  | "interface"
  | "addresses"
  | "networks"
  | "domains"
  | "dns"
  | "otherTraffic"
  | "mtu"
  | "inbound"
  | "listening"
>;
