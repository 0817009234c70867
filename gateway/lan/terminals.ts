/** Who is on the LAN: dnsmasq's leases and the kernel's neighbours, put together. No I/O. */
import * as v from "valibot";
import type { Terminal } from "./api.ts";

/** What is listed at most; a LAN that has more is being flooded. */
const MAX_TERMINALS = 4096;

export interface Lease {
  readonly address: string;
  readonly mac: string;
  readonly name: string;
  /** Unix milliseconds; undefined for one that never ends. */
  readonly until?: number;
}

export interface Neighbour {
  readonly address: string;
  readonly mac: string;
}

/**
 * Lines "expiry mac address name client-id", times in Unix seconds (0: for ever). What follows
 * "duid" is DHCPv6, which the LAN doesn't lease. Lines that are no lease are passed over.
 */
export function parseLeases(text: string): Lease[] {
  const leases: Lease[] = [];
  for (const line of text.split("\n")) {
    const [expiry = "", mac = "", address = "", name = ""] = line.split(" ");
    if (expiry === "duid") break;
    if (!/^\d+$/.test(expiry) || address === "") continue;
    leases.push({
      address,
      mac: mac.toLowerCase(),
      name: name === "*" ? "" : name,
      ...(expiry === "0" ? {} : { until: Number(expiry) * 1000 }),
    });
  }
  return leases;
}

const NeighbourItem = v.object({
  dst: v.string(),
  lladdr: v.string(),
  state: v.array(v.string()),
});

/** Output of `ip -json neigh`: those that answered, now or a while ago. */
export function parseNeighbours(json: string): Neighbour[] {
  const items: unknown = json.trim() === "" ? [] : JSON.parse(json);
  if (!Array.isArray(items)) return [];
  return items.filter((item) => v.is(NeighbourItem, item))
    .filter(({ state }) => !state.includes("FAILED") && !state.includes("INCOMPLETE"))
    .map(({ dst, lladdr }) => ({ address: dst, mac: lladdr.toLowerCase() }));
}

/** Leases that still run, then neighbours without one; link-local addresses name nobody new. */
export function listTerminals(
  { leases, neighbours }: { leases: readonly Lease[]; neighbours: readonly Neighbour[] },
  now: number,
): Terminal[] {
  const found = new Map<string, Terminal>();
  const names = new Map<string, string>();
  for (const { address, mac, name, until } of leases) {
    if (until !== undefined && until <= now) continue;
    names.set(mac, name);
    found.set(address, {
      address,
      mac,
      name,
      ...(until === undefined ? {} : { leaseUntil: until }),
    });
  }
  for (const { address, mac } of neighbours) {
    if (found.has(address) || /^fe[89ab]/i.test(address)) continue;
    found.set(address, { address, mac, name: names.get(mac) ?? "" });
  }
  return [...found.values()].slice(0, MAX_TERMINALS);
}
