/**
 * The switch's plan: a configuration and a session's grant (or none: locked) go in, the whole
 * nftables ruleset comes out as text. No I/O, no clock.
 *
 * A terminal's packet passes `spoofing` (before anything is tracked), `marking` (is it for the
 * tunnel?), `redirecting` (DNS and the portal), `deciding` (refuse at once what has no way out, so
 * that no program hangs), then the routes, which forward only what was marked on the way so far, so
 * that nothing passes where this ruleset is missing, then `forwarding`, which drops whatever isn't
 * allowed by name. What is begun through the tunnel passes `arriving`, which leads it to a terminal if profile
 * and configuration both want that. No rule lets an outward packet pass for belonging to a known
 * connection: each is held against the session of now.
 */
import type { SessionGrant } from "./grant.ts";
import {
  COUNTED_TERMINALS,
  GUARD_SECONDS,
  LEARNED_ADDRESSES,
  MARKED_RULESETS,
  SESSION_MARK,
  SESSION_MARK_MASK,
  TABLE,
} from "./numbers.ts";
import { entering, leaving } from "./box_chains.ts";
import { answersOfBox, arriving } from "./inbound_chains.ts";
import { block, DROP_REASONS, listed, quoted, type Scene } from "./ruleset_text.ts";
import { interfaceName, lanNetworks, sessionScope, type SwitchConfig } from "./scope.ts";
import {
  answering,
  deciding,
  forwarding,
  marking,
  masking,
  redirecting,
  refusing,
  spoofing,
} from "./terminal_chains.ts";

export { DROP_REASONS } from "./ruleset_text.ts";

export interface PlanInput {
  readonly config: SwitchConfig;
  /** Undefined: locked. */
  readonly grant?: SessionGrant | undefined;
  /** Group id of the box's DNS processes: what they may send out is then held to the session too. */
  readonly dnsGroup?: number | undefined;
  /** Which one of this gateway's rulesets it is: 0, 1, 2… (default 0). */
  readonly number?: number;
}

/** The mark of what a ruleset of this number lets pass. */
export function sessionMark(number: number): number {
  return SESSION_MARK + (number % MARKED_RULESETS) * (SESSION_MARK_MASK + 1);
}

/** One transaction that replaces the table, whatever was there before. */
export function planRuleset(input: PlanInput): string {
  const scene = sceneOf(input);
  return [
    `add table ${TABLE}`,
    `delete table ${TABLE}`,
    block(`table ${TABLE}`, [
      ...DROP_REASONS.map((reason) => `counter ${reason} { }`),
      ...sets(scene),
      ...refusing(scene),
      ...spoofing(scene),
      ...marking(scene),
      ...arriving(scene),
      ...redirecting(scene),
      ...deciding(scene),
      ...forwarding(scene),
      ...entering(scene),
      ...answersOfBox(scene),
      ...leaving(scene),
      ...masking(scene),
    ]),
    "",
  ].join("\n");
}

/** Says "the gateway lives" for another while: the element is made anew, as kernels before 6.12 don't prolong one. */
export function planRefresh(config: SwitchConfig): string {
  const element = (timeout: string) =>
    `element ${TABLE} alive { "${interfaceName(config.internet.interface)}"${timeout} }`;
  const fresh = element(` timeout ${GUARD_SECONDS}s`);
  return `add ${fresh}\ndelete ${element("")}\nadd ${fresh}\n`;
}

/**
 * Of a ruleset in force: whether connections that it refuses are let hang instead. A TCP connection
 * that hangs is begun anew by itself, and passes if a session is up by then.
 */
export function planSuspension(isSuspended: boolean): string {
  const rules = answering(isSuspended).map((rule) => `add rule ${TABLE} answer ${rule}\n`);
  return [`flush chain ${TABLE} answer\n`, ...rules].join("");
}

function sceneOf({ config, grant, dnsGroup, number = 0 }: PlanInput): Scene {
  return {
    config,
    lan: quoted(config.lan.interface),
    internet: quoted(config.internet.interface),
    session: grant === undefined ? undefined : sessionScope(config, grant),
    dnsGroup,
    connectionMark: sessionMark(number),
  };
}

function sets({ config, internet, session }: Scene): string[] {
  const lan = lanNetworks(config);
  const none = { v4: [], v6: [] };
  const destinations = session?.destinations ?? none;
  const network = (name: string, type: string, elements: readonly string[]) =>
    block(`set ${name}`, [`type ${type}; flags interval;`, ...listed(elements)]);
  const learned = (name: string, type: string) =>
    block(`set ${name}`, [`type ${type}; size ${LEARNED_ADDRESSES};`]);
  const traffic = (name: string, type: string) =>
    block(`set ${name}`, [`type ${type}; size ${COUNTED_TERMINALS}; flags dynamic; counter;`]);
  const connections = (name: string, type: string) =>
    block(`set ${name}`, [`type ${type}; size ${COUNTED_TERMINALS}; flags dynamic;`]);
  return [
    network("lan4", "ipv4_addr", lan.v4),
    network("lan6", "ipv6_addr", lan.v6),
    network("destinations4", "ipv4_addr", destinations.v4),
    network("destinations6", "ipv6_addr", destinations.v6),
    learned("learned4", "ipv4_addr"),
    learned("learned6", "ipv6_addr"),
    block("set alive", [
      "type ifname; flags timeout;",
      ...listed(session?.direct ? [`${internet} timeout ${GUARD_SECONDS}s`] : []),
    ]),
    traffic("sent4", "ipv4_addr"),
    traffic("sent6", "ipv6_addr"),
    traffic("received4", "ipv4_addr"),
    traffic("received6", "ipv6_addr"),
    connections("web4", "ipv4_addr"),
    connections("web6", "ipv6_addr"),
  ];
}
