/** Numbers by which nftables, routes and DNS name the same thing to the kernel; our own choices. */

/** The one table of the ruleset. */
export const TABLE = "inet sekisho";
/** Packet mark of what must leave by the tunnel and by nothing else. */
export const TUNNEL_MARK = 0x5e61;
/**
 * Lower half of the connection mark of everything that is forwarded or answered for terminals by session:
 * forgotten when it ends. The upper half numbers the rulesets, so that forgetting what one has marked,
 * which takes a while, takes nothing of the next one's along.
 */
export const SESSION_MARK = 0x5e62;
export const SESSION_MARK_MASK = 0xffff;
/** Rulesets that are told apart by their marks, before the numbers come again. */
export const MARKED_RULESETS = 0x10000;
/** Packet mark of what else the ruleset lets the box forward: without a mark the routes forward nothing. */
export const ADMITTED_MARK = 0x5e63;
/** Routing table of packets with TUNNEL_MARK. */
export const TUNNEL_TABLE = 7350;
/** Routing table of what the box itself says under its LAN addresses. */
export const LAN_TABLE = 7352;
/** Where the session's DNS listens; questions to port 53 are redirected to it. */
export const SESSION_DNS_PORT = 5380;
/** A dead gateway lets terminals' direct traffic out for this long at most. */
export const GUARD_SECONDS = 3;
/** Terminals that are counted one by one. */
export const COUNTED_TERMINALS = 4096;
/** Addresses that can be learned for a profile's domains in one session. */
export const LEARNED_ADDRESSES = 65_536;
/** Connections that one terminal, and all of them together, may hold to the box's portal and panel. */
export const WEB_CONNECTIONS = { each: 256, all: 2048 };
