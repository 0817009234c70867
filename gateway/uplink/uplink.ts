/** Policy routes on the real kernel, by `ip -batch` and /proc/sys. */
import { exec, execOk } from "../../os/exec.ts";
import type { SessionGrant } from "../switch/grant.ts";
import { interfaceName } from "../switch/scope.ts";
import type { Uplink } from "./api.ts";
import {
  FAMILIES,
  type Family,
  planClose,
  planFallbacks,
  planInterface,
  planOpen,
  planRules,
  planSessionRules,
  planSettings,
  RULE_PREFERENCES,
  SESSION_PREFERENCES,
  type UplinkConfig,
} from "./plan.ts";

export function createUplink(config: UplinkConfig): Uplink {
  return new PolicyRoutes(config);
}

export class PolicyRoutes implements Uplink {
  readonly #config: UplinkConfig;
  /** Each family's rules of the last session. */
  readonly #sessionRules = new Map<Family, readonly string[]>();

  constructor(config: UplinkConfig) {
    this.#config = config;
  }

  /** Also gives the LAN interface its configured addresses. The switch must be locked before. */
  async prepare(): Promise<void> {
    const { lan, internet } = this.#config;
    const addresses = [lan.address, ...(lan.address6 === undefined ? [] : [lan.address6])];
    const port = interfaceName(lan.interface);
    await batch([], [
      ...addresses.map((address) => {
        return `address replace ${address} dev ${port}${address.includes(":") ? " nodad" : ""}`;
      }),
      `link set ${port} up`,
    ]);
    for (const family of FAMILIES) {
      await batch([family], planFallbacks(this.#config, family));
      await this.#closeFamily(family);
      // Deleting and adding leaves no moment without them that matters: the ruleset is locked.
      await removeRules(family, RULE_PREFERENCES);
      await batch([family], planRules(this.#config, family));
    }
    for (const { path, value } of planSettings(lan.interface, internet.interface)) {
      await setKernel(path, value);
    }
  }

  async open(grant: SessionGrant): Promise<void> {
    await batch([], planInterface(grant));
    await setKernel(`net/ipv4/conf/${interfaceName(grant.interface)}/rp_filter`, "0");
    for (const family of FAMILIES) await this.#openFamily(grant, family);
  }

  async close(): Promise<void> {
    for (const family of FAMILIES) await this.#closeFamily(family);
  }

  async #openFamily(grant: SessionGrant, family: Family): Promise<void> {
    const rules = planSessionRules(grant, family);
    const before = this.#sessionRules.get(family);
    // The same card again finds its rules in place.
    const isSame = before?.join() === rules.join();
    if (before !== undefined && !isSame) await removeRules(family, SESSION_PREFERENCES);
    const lines = [...(isSame ? [] : rules), ...planOpen(grant, family)];
    this.#sessionRules.set(family, []); // if it fails, they are begun anew
    if (lines.length > 0) await batch([family], lines);
    this.#sessionRules.set(family, rules);
  }

  /** Lines about what isn't there fail, and the others still run. */
  async #closeFamily(family: string): Promise<void> {
    await exec(["ip", family, "-force", "-batch", "-"], { input: planClose().join("\n") + "\n" });
  }
}

async function removeRules(family: string, places: readonly number[]): Promise<void> {
  const listing = await execOk(["ip", family, "-json", "rule", "show"]);
  const found = (JSON.parse(listing || "[]") as { priority?: number }[]).map((r) => r.priority);
  const lines = places.flatMap((place) =>
    found.filter((one) => one === place).map(() => `rule del pref ${place}`)
  );
  if (lines.length > 0) await batch([family], lines);
}

async function batch(options: readonly string[], lines: readonly string[]): Promise<void> {
  await execOk(["ip", ...options, "-batch", "-"], { input: lines.join("\n") + "\n" });
}

/** A setting that this kernel doesn't have (no IPv6) needs no value. */
async function setKernel(path: string, value: string): Promise<void> {
  const file = `/proc/sys/${path}`;
  try {
    if ((await Deno.readTextFile(file)).trim() !== value) {
      await Deno.writeTextFile(file, value, { create: false });
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw new Error(
      `Cannot set ${path} to ${value}: ${error instanceof Error ? error.message : error}; ` +
        `the gateway needs root in its network namespace`,
    );
  }
}
