/** Policy routes on the real kernel, by `ip -batch` and /proc/sys. */
import { exec, execOk } from "../../os/exec.ts";
import type { GatewayConfig } from "../config/gateway_config.ts";
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
} from "./plan.ts";

export type UplinkConfig = Pick<GatewayConfig, "lan" | "internet" | "tunnel">;

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
    const { lan, internet, tunnel } = this.#config;
    const addresses = [lan.address, ...(lan.address6 === undefined ? [] : [lan.address6])];
    const port = interfaceName(lan.interface);
    await batch([], [
      ...addresses.map((address) => {
        return `address replace ${address} dev ${port}${address.includes(":") ? " nodad" : ""}`;
      }),
      `link set ${port} up`,
    ]);
    for (const family of FAMILIES) {
      await batch([family], planFallbacks());
      await this.#closeFamily(family);
      // Deleting and adding leaves no moment without them that matters: the ruleset is locked.
      await this.#removeRules(family);
      await batch([family], planRules(lan.interface, tunnel.interface));
    }
    for (const { path, value } of planSettings(lan.interface, internet.interface)) {
      await setKernel(path, value);
    }
  }

  async open(grant: SessionGrant): Promise<void> {
    await batch([], planInterface(grant));
    await setKernel(`net/ipv4/conf/${interfaceName(grant.interface)}/rp_filter`, "0");
    for (const family of FAMILIES) {
      const lines = planOpen(grant, family);
      if (lines.length > 0) await batch([family], lines);
    }
  }

  async close(): Promise<void> {
    for (const family of FAMILIES) await this.#closeFamily(family);
  }

  async remove(): Promise<void> {
    for (const family of FAMILIES) {
      await this.#removeRules(family);
      await this.#closeFamily(family);
      await exec(["ip", family, "-force", "-batch", "-"], {
        input: planFallbacks().map((line) => line.replace("replace", "del")).join("\n") + "\n",
      });
    }
  }

  /** Lines about what isn't there fail, and the others still run. */
  async #closeFamily(family: string): Promise<void> {
    await exec(["ip", family, "-force", "-batch", "-"], { input: planClose().join("\n") + "\n" });
  }

  async #removeRules(family: string): Promise<void> {
    const listing = await execOk(["ip", family, "-json", "rule", "show"]);
    const rules = JSON.parse(listing || "[]") as { priority?: number }[];
    const ours = rules.filter(({ priority }) =>
      RULE_PREFERENCES.some((preference) => preference === priority)
    );
    if (ours.length > 0) await batch([family], ours.map((r) => `rule del pref ${r.priority}`));
  }
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
