/** Words and blocks of a ruleset; what every part of the plan shares. No I/O. */
import { interfaceName, type SessionScope, type SwitchConfig } from "./scope.ts";

/** Reasons for which packets are refused; each is a counter of the ruleset. */
export const DROP_REASONS = [
  "terminal-to-outside",
  "ipv6",
  "not-in-profile",
  "dns",
  "spoofed-source",
  "tunnel-down",
  "terminal-to-box",
  "inbound",
  "other-interface",
] as const;
export type DropReason = typeof DROP_REASONS[number];

/** What the parts of the plan are made from. */
export interface Scene {
  readonly config: SwitchConfig;
  readonly lan: string;
  readonly internet: string;
  readonly session: SessionScope | undefined;
  readonly dnsGroup: number | undefined;
  /** Of connections that this ruleset lets pass. */
  readonly connectionMark: number;
}

/** A rule's words that count a refused packet. */
export function count(reason: DropReason): string {
  return `counter name "${reason}"`;
}

/** As nftables writes marks. */
export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** An interface's name as a word of the ruleset; throws TypeError if it is none. */
export function quoted(name: string): string {
  return `"${interfaceName(name)}"`;
}

/** A set's elements; nothing for an empty set. */
export function listed(elements: readonly string[]): string[] {
  return elements.length === 0 ? [] : [`elements = { ${elements.join(", ")} }`];
}

/** `head { lines }`, one line each, indented. */
export function block(head: string, lines: readonly string[]): string {
  const body = lines.flatMap((line) => line.split("\n")).map((line) => `\t${line}`);
  return [`${head} {`, ...body, "}"].join("\n");
}
