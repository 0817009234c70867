/** Policy routes on the real kernel, by `ip -batch` and /proc/sys. */
import { exec, execOk } from "../../os/exec.ts";
import type { SessionGrant } from "../switch/grant.ts";
import { interfaceName } from "../switch/scope.ts";
import type { Uplink } from "./api.ts";
import {
  FAMILIES,
  planClose,
  planFallbacks,
  planInterface,
  planOpen,
  planRules,
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
    await Promise.all([
      batch([], planInterface(grant)),
      ...FAMILIES.map((family) => removeRules(family, SESSION_PREFERENCES)),
    ]);
    await setKernel(`net/ipv4/conf/${interfaceName(grant.interface)}/rp_filter`, "0");
    for (const family of FAMILIES) {
      const lines = planOpen(grant, family);
      if (lines.length > 0) await batch([family], lines);
    }
  }

  async close(): Promise<void> {
    for (const family of FAMILIES) await this.#closeFamily(family);
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
