/** The LAN's services: DHCP, router advertisements, DNS of the locked box and of the session. */
import { exec } from "../../os/exec.ts";
import type { SessionGrant } from "../switch/grant.ts";
import type { Lan, Terminal } from "./api.ts";
import { Daemon, endLeftover } from "./daemon.ts";
import { type LanConfig, leaseFile, planLockedDns, planSessionDns } from "./dns_plan.ts";
import { type DnsIdentity, dnsIdentity } from "./identity.ts";
import { listTerminals, parseLeases, parseNeighbours } from "./terminals.ts";

/** Starts nothing yet. */
export function createLan(config: LanConfig): Lan {
  return new DnsmasqLan(config, dnsIdentity());
}

export class DnsmasqLan implements Lan {
  readonly #config: LanConfig;
  readonly #identity: DnsIdentity | undefined;
  readonly #locked: Daemon;
  readonly #session: Daemon;

  constructor(config: LanConfig, identity: DnsIdentity | undefined) {
    this.#config = config;
    this.#identity = identity;
    this.#locked = new Daemon({
      title: "DHCP and DNS of the LAN",
      identity,
      ...this.#files("locked"),
    });
    this.#session = new Daemon({
      title: "DNS of the session",
      identity,
      ...this.#files("session"),
    });
  }

  async start(): Promise<void> {
    await Deno.mkdir(this.#config.run, { recursive: true, mode: 0o755 });
    await this.#makeLeaseFolder();
    await endLeftover(this.#files("session"));
    await this.#write("locked", planLockedDns(this.#config));
    await this.#locked.start();
  }

  async open(grant: SessionGrant): Promise<void> {
    await this.#write("session", planSessionDns(this.#config, grant));
    await this.#session.stop();
    await this.#session.start();
  }

  async close(): Promise<void> {
    await this.#session.stop();
  }

  async terminals(): Promise<Terminal[]> {
    const [leases, neighbours] = await Promise.all([this.#leases(), this.#neighbours()]);
    return listTerminals({ leases, neighbours }, Date.now());
  }

  warnings(): string[] {
    return [this.#locked.warning, this.#session.warning].filter((text) => text !== undefined);
  }

  async stop(): Promise<void> {
    await Promise.all([this.#session.stop(), this.#locked.stop()]);
  }

  #files(kind: "locked" | "session"): { configFile: string; pidFile: string } {
    const base = `${this.#config.run}/dnsmasq-${kind}`;
    return { configFile: `${base}.conf`, pidFile: `${base}.pid` };
  }

  async #write(kind: "locked" | "session", text: string): Promise<void> {
    await Deno.writeTextFile(this.#files(kind).configFile, text, { mode: 0o644 });
  }

  /** dnsmasq writes its leases as its own user. */
  async #makeLeaseFolder(): Promise<void> {
    const path = leaseFile(this.#config);
    const folder = path.slice(0, path.lastIndexOf("/"));
    await Deno.mkdir(folder, { recursive: true, mode: 0o755 });
    if (this.#identity === undefined) return;
    const { uid, gid } = this.#identity;
    await Deno.chown(folder, uid, gid);
    await Deno.chown(path, uid, gid).catch((error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  }

  async #leases() {
    try {
      return parseLeases(await Deno.readTextFile(leaseFile(this.#config)));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }

  async #neighbours() {
    const { code, stdout } = await exec([
      ...["ip", "-json", "neigh", "show", "dev", this.#config.lan.interface],
    ]);
    return code === 0 ? parseNeighbours(stdout) : [];
  }
}
