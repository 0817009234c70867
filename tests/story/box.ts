/** A gateway of the story: pcscd, the reader's card, and Sekisho's own gateway process in a site. */
import { fileURLToPath } from "node:url";
import type { Machine, Running } from "../lab/machine.ts";
import { sleep } from "../lab/machine.ts";
import { proportionalSetSize } from "../lab/memory_search.ts";
import { type Pcscd, type Softcard, startPcscd, startSoftcard } from "../lab/pcscd.ts";
import type { Card } from "./card.ts";
import { lastEvents } from "./last_events.ts";
import { GATEWAY_INTERFACES, type Site } from "./network.ts";
import { enginePids } from "./observer.ts";
import { INTERNET } from "./plan.ts";
import { Watch } from "./watch.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const PANEL_PORT = 8443;
const START_LIMIT_MS = 60_000;

/** What the portal says, as a terminal's page reads it. */
export interface PortalAnswer {
  readonly phase: string;
  readonly triesLeft?: number;
  readonly wrong?: boolean;
  readonly asksUserId?: true;
  readonly fault?: string;
  readonly target?: {
    readonly engine: string;
    readonly publicKey: string;
    readonly passkey?: { readonly opens: boolean; readonly mayAdd: boolean };
  };
}

export interface BoxOptions {
  /** Folder of its own. */
  readonly dir: string;
  /** Issuers' public keys as a configuration has them. */
  readonly issuers: readonly string[];
  readonly adminPassword: string;
  /** Folder for what outlives a restart, as the machine sees it; default: in `dir`. */
  readonly state?: string;
  /** Whether the kernel's WireGuard may carry packets; default: never. */
  readonly kernel?: "auto";
  /** More tables of its configuration, as text. */
  readonly tables?: string;
}

export class Box implements AsyncDisposable {
  readonly site: Site;
  readonly machine: Machine;
  /** How terminals reach the portal. */
  readonly portal: string;
  /** How the LAN reaches the administrator's panel. */
  readonly panel: { readonly hostname: string; readonly port: number };
  readonly watch: Watch;
  /** The folder of what outlives a restart, as the host sees it. */
  readonly state: string;
  readonly #config: string;
  readonly #pcscd: Pcscd;
  #gateway: Running | undefined;
  #card: { readonly card: Card; readonly running: Softcard } | undefined;

  private constructor(
    parts: { site: Site; config: string; state: string; pcscd: Pcscd; watch: Watch },
  ) {
    this.site = parts.site;
    this.machine = parts.site.gateway;
    this.#config = parts.config;
    this.state = parts.state;
    this.#pcscd = parts.pcscd;
    this.watch = parts.watch;
    const address = hostOf(parts.site.plan.lan.address);
    this.portal = `https://${address}`;
    this.panel = { hostname: address, port: PANEL_PORT };
  }

  /** Starts everything in the box, no card in the reader; resolves when the portal answers. */
  static async start(site: Site, options: BoxOptions): Promise<Box> {
    const state = options.state ?? `${options.dir}/state`;
    const config = `${options.dir}/gateway.toml`;
    await Deno.writeTextFile(config, configuration(site, { ...options, state }));
    await site.gateway.quickAckLoopback();
    const pcscd = await startPcscd(site.gateway);
    const watch = await Watch.start(site.gateway);
    const seen = `/proc/${site.gateway.pid}/root${state}`;
    const box = new Box({ site, config, state: seen, pcscd, watch });
    const { code, stderr } = await site.gateway.run(
      [...box.#command(), "--set-admin-password"],
      { input: `${options.adminPassword}\n`, env: { DENO_NO_UPDATE_CHECK: "1" } },
    );
    if (code !== 0) throw new Error(`Cannot set the administrator's password: ${stderr.trim()}`);
    await box.startGateway();
    return box;
  }

  /** Starts the gateway process; resolves when its portal answers. */
  async startGateway(): Promise<void> {
    this.#gateway = await this.machine.spawn(this.#command(), {
      stdout: "null",
      stderr: "inherit",
      // As the unit has it: the runtime asks nobody whether there is a newer one.
      env: { DENO_NO_UPDATE_CHECK: "1" },
    });
    let over = false;
    void this.#gateway.status.then(() => over = true);
    const health = ["curl", "-sk", "-m", "2", "-o", "/dev/null", `${this.portal}/api/portal`];
    const end = Date.now() + START_LIMIT_MS;
    while ((await this.machine.run(health)).code !== 0) {
      if (over) throw new Error(`The gateway of ${this.machine.name} ended; see its own message`);
      if (Date.now() > end) throw new Error(`The portal of ${this.machine.name} does not answer`);
      await sleep(50);
    }
  }

  /** Asks the program something beside the gateway that runs. */
  async gateway(...args: string[]): Promise<{ code: number; stdout: string }> {
    return await this.machine.run([...this.#command(), ...args], {
      env: { DENO_NO_UPDATE_CHECK: "1" },
    });
  }

  /** The certificate of the box's own authority, PEM, as its owner would install it on terminals. */
  get authority(): string {
    return Deno.readTextFileSync(`${this.state}/tls/authority.crt`);
  }

  /** Puts a card into the reader; resolves when the reader has it. */
  async insert(card: Card): Promise<void> {
    const { running } = await this.#bring(card);
    await running.insert();
  }

  /** Puts in a card that may be pulled again before anybody sees it in the reader. */
  async insertFleeting(card: Card): Promise<void> {
    const { running } = await this.#bring(card);
    void running.insert().catch(() => {});
  }

  /** Pulls the card out of the reader; it stays beside it. */
  async remove(): Promise<void> {
    await this.#card?.running.remove();
  }

  /** Pulls the card and carries it away, to be put in elsewhere. */
  async takeAway(): Promise<void> {
    await this.#card?.running.stop();
    this.#card = undefined;
  }

  /** The card in or beside the reader. */
  get card(): Card | undefined {
    return this.#card?.card;
  }

  /** The software card's own controls. */
  get softcard(): Softcard {
    if (this.#card === undefined) throw new Error(`No card is at ${this.machine.name}`);
    return this.#card.running;
  }

  /** Every process of the box, as the host numbers them: not the card, which is not the box's. */
  pids(): number[] {
    const foreign = [this.#card?.running.running.pid, this.watch.pid];
    return this.machine.pids().filter((pid) => !foreign.includes(pid));
  }

  /** The engines now alive. */
  engines(): number[] {
    return enginePids(this.machine.pids());
  }

  /** Sekisho's own processes: gateway, engines, and the daemons that the gateway started. */
  ownPids(): number[] {
    return this.pids().filter((pid) => pid !== this.#pcscd.running.pid);
  }

  /** Proportional memory of Sekisho's own processes, in bytes. */
  memory(): number {
    return this.ownPids().reduce((sum, pid) => sum + proportionalSetSize(pid), 0);
  }

  /** The journal's last events, for the message of a test that fails. */
  lastEvents(): string {
    return lastEvents(this.state);
  }

  /** SIGKILL to the gateway process itself. */
  async killGateway(): Promise<void> {
    this.#gateway?.signal("SIGKILL");
    await this.#gateway?.status;
  }

  /** The gateway process stands still; its engine doesn't. */
  pauseGateway(): void {
    this.#gateway?.signal("SIGSTOP");
  }

  resumeGateway(): void {
    this.#gateway?.signal("SIGCONT");
    this.#gateway?.child.kill("SIGCONT"); // nsenter stops itself together with its child
  }

  async stopGateway(): Promise<void> {
    await this.#gateway?.stop(20_000);
    this.#gateway = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.takeAway();
    await this.stopGateway();
    await this.watch[Symbol.asyncDispose]();
    await this.#pcscd.stop();
  }

  async #bring(card: Card): Promise<{ readonly card: Card; readonly running: Softcard }> {
    if (this.#card?.card === card) return this.#card;
    await this.takeAway();
    const running = await startSoftcard(this.machine, { state: card.state, removed: true });
    return this.#card = { card, running };
  }

  #command(): string[] {
    return [
      ...[Deno.execPath(), "run", "-A", "--cached-only", "--no-prompt", "--no-check", MAIN],
      ...["gateway", "--config", this.#config],
    ];
  }
}

function configuration(site: Site, options: BoxOptions & { state: string }): string {
  const { lan, name } = site.plan;
  const quote = (text: string) => JSON.stringify(text);
  return `name = ${quote(name)}
state = ${quote(options.state)}
run = "/run/sekisho"

[lan]
interface = ${quote(GATEWAY_INTERFACES.lan)}
address = ${quote(lan.address)}
address6 = ${quote(lan.address6)}
dhcp = { from = ${quote(lan.dhcp.from)}, to = ${quote(lan.dhcp.to)}, lease = "1h" }

[internet]
interface = ${quote(GATEWAY_INTERFACES.internet)}
dns = [${quote(INTERNET.dns.address)}]

[token]
issuers = [${options.issuers.map(quote).join(", ")}]

[tunnel]
interface = "sekisho0"
kernel = ${quote(options.kernel ?? "never")}

[panel]
listen = ${quote(`${hostOf(lan.address)}:${PANEL_PORT}`)}

[portal]
http_port = 80
https_port = 443
${options.tables ?? ""}`;
}

function hostOf(cidr: string): string {
  return cidr.slice(0, cidr.indexOf("/"));
}
