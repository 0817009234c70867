import type { Grant } from "../session/grant.ts";

/** All that the switch, the routes and the DNS need to know of a session. A `Grant` is one. */
export interface SessionGrant extends
  Pick<
    Grant,
    "interface" | "addresses" | "networks" | "domains" | "dns" | "otherTraffic" | "mtu"
  > {
  /** UDP port on which the tunnel listens, when it is known: the peer may then speak first. */
  readonly tunnelPort?: number;
}
