/**
 * Terminal, box, Internet and office in the lab. A plain wire stands for the tunnel: what the switch
 * must do with the tunnel's interface doesn't depend on who encrypts behind it.
 */
import type { GatewayConfig } from "../../gateway/config/gateway_config.ts";
import type { SessionGrant } from "../../gateway/switch/grant.ts";
import { Capture, countUplink, macOf } from "../lab/capture.ts";
import { Lab } from "../lab/lab.ts";
import type { Machine, RunResult } from "../lab/machine.ts";
import { describePacket, type Packet } from "../lab/packet.ts";
import { Box, QUIET } from "./box.ts";

export const WEB = { v4: "198.51.100.80", v6: "2001:db8:f::80" };
/** On the Internet by its address, of the office by its name. */
export const LEARNED = "198.51.100.99";
export const OFFICE = { v4: "10.0.0.80", v6: "fd00:1::80", dns: "10.0.0.53" };
export const BOX = { lan: "192.168.80.1", lan6: "fd80::1", tunnel: "10.8.0.2", wan: "203.0.113.1" };
/** Behind an interface that the gateway's configuration doesn't name. */
export const STRANGER = { v4: "172.16.0.9", v6: "fd16::9" };

export const GRANT: SessionGrant = {
  interface: "sekisho0",
  addresses: ["10.8.0.2/32", "fd08::2/128"],
  networks: ["10.0.0.0/8", "fd00:1::/32"],
  domains: ["office.example"],
  dns: [OFFICE.dns],
  otherTraffic: "drop",
  mtu: 1420,
};

/** A wire of the box's; "stranger" is there once `connectStranger` was called. */
export type Side = "lan" | "internet" | "office" | "stranger";

export class Network implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly #wires = new Map<string, { capture: Capture; mac: string }>();

  private constructor(
    readonly lab: Lab,
    readonly terminal: Machine,
    readonly gateway: Machine,
    readonly internet: Machine,
    readonly office: Machine,
    readonly config: GatewayConfig,
  ) {}

  /** `more`: what else the gateway's configuration says. */
  static async open(more: Partial<GatewayConfig> = {}): Promise<Network> {
    const lab = await Lab.open();
    const [terminal, gateway, internet, office] = await Promise.all(
      ["terminal", "gateway", "internet", "office"].map((name) => lab.machine(name)),
    ) as [Machine, Machine, Machine, Machine];
    const network = new Network(lab, terminal, gateway, internet, office, {
      ...configIn(lab.dir),
      ...more,
    });
    network.#stack.use(lab);
    await lab.link(terminal, "eth0", gateway, "lan0");
    await lab.link(gateway, "wan0", internet, "eth0");
    await network.connectTunnel();
    await terminal.sh(`
      ip addr add 192.168.80.50/24 dev eth0; ip route add default via ${BOX.lan}
      ip addr add fd80::50/64 dev eth0; ip -6 route add default via ${BOX.lan6}`);
    await gateway.sh(`
      ip addr add ${BOX.wan}/24 dev wan0; ip route add default via 203.0.113.254
      ip addr add 2001:db8:1::1/64 dev wan0; ip -6 route add default via 2001:db8:1::254`);
    // A LAN of an outsider's making must not matter: the Internet even has a way back to it.
    await internet.sh(`
      ip addr add 203.0.113.254/24 dev eth0; ip addr add 2001:db8:1::254/64 dev eth0
      ip addr add 203.0.113.53/32 dev lo
      for a in ${WEB.v4} ${LEARNED} 10.0.0.80; do ip addr add $a/32 dev lo; done
      ip addr add ${WEB.v6}/128 dev lo; ip addr add ${OFFICE.v6}/128 dev lo
      ip route add 192.168.80.0/24 via ${BOX.wan}; ip -6 route add fd80::/64 via 2001:db8:1::1`);
    await office.sh(`
      for a in ${OFFICE.v4} ${OFFICE.dns} ${LEARNED}; do ip addr add $a/32 dev lo; done
      ip addr add ${OFFICE.v6}/128 dev lo`);
    return network;
  }

  /** The wire that stands for the tunnel, as the engine would make its interface. */
  async connectTunnel(): Promise<void> {
    await this.lab.link(this.gateway, "sekisho0", this.office, "tun0");
    const [own, far] = [await macOf(this.gateway, "sekisho0"), await macOf(this.office, "tun0")];
    // A tunnel has no neighbours to discover, and the ruleset lets nobody try.
    await this.gateway.sh(`ip -6 neigh add ${OFFICE.v6} lladdr ${far} dev sekisho0`);
    await this.office.sh(`
      echo 1 > /proc/sys/net/ipv4/conf/tun0/proxy_arp
      ip -6 neigh add fd08::2 lladdr ${own} dev tun0
      ip route add ${BOX.tunnel}/32 dev tun0; ip -6 route add fd08::2/128 dev tun0`);
  }

  /** An interface that the gateway's configuration doesn't name, with somebody behind it. */
  async connectStranger(): Promise<void> {
    await this.lab.link(this.gateway, "other0", this.internet, "eth1");
    await this.gateway.sh(
      "ip addr add 172.16.0.1/24 dev other0; ip addr add fd16::1/64 dev other0",
    );
    await this.internet.sh(
      `ip addr add ${STRANGER.v4}/24 dev eth1; ip addr add ${STRANGER.v6}/64 dev eth1`,
    );
  }

  async box(): Promise<Box> {
    return this.#stack.use(await Box.start(this.gateway, this.config));
  }

  /** Web and UDP servers on the Internet and in the office, DNS on both, the portal on the box. */
  async serve(): Promise<void> {
    const program = new URL("./server_program.ts", import.meta.url).pathname;
    for (const machine of [this.internet, this.office, this.gateway, this.terminal]) {
      const server = await machine.spawn(
        [Deno.execPath(), "run", "-A", "--cached-only", "--no-prompt", program, machine.name],
        { stdout: "piped", stderr: "inherit", cwd: "/", env: QUIET },
      );
      this.#stack.defer(() => server.stop());
      const reader = server.child.stdout.getReader();
      await reader.read();
      reader.releaseLock();
      this.#stack.defer(() => server.child.stdout.cancel().catch(() => {}));
    }
    await this.#dns(this.internet, "web.example", WEB.v4);
    await this.#dns(this.office, "office.example", OFFICE.v4, `/public.office.example/${LEARNED}`);
  }

  /** Watches a wire at its far end. */
  async watch(side: Side): Promise<void> {
    const [machine, ifname, own] = this.#far(side);
    const mac = await macOf(this.gateway, own);
    const capture = this.#stack.use(await Capture.start(this.lab, { machine, ifname }));
    this.#wires.set(side, { capture, mac });
  }

  /** What the box has sent on that wire, its talk with the link itself left out. */
  async sent(side: Side, since = 0): Promise<Packet[]> {
    const wire = this.#wires.get(side);
    if (wire === undefined) throw new Error(`Cannot count on ${side}: nobody watches it`);
    const hub = { addresses: [], port: 0 };
    return countUplink(await wire.capture.packets(since), { mac: wire.mac, hub }).leaked.slice();
  }

  /** One line for each packet, for assertions that show what leaked. */
  async sentText(side: Side, since = 0): Promise<string[]> {
    return (await this.sent(side, since)).map(describePacket);
  }

  /** What a terminal gets by HTTP; stdout is the body, code as curl's. */
  async fetch(url: string, ...options: string[]): Promise<RunResult> {
    return await this.terminal.run(["curl", "-sS", "--max-time", "20", ...options, url]);
  }

  async ask(name: string, ...options: string[]): Promise<string> {
    const { stdout } = await this.terminal.run([
      ...["dig", "+time=5", "+tries=1", "+noall", "+answer", "+comments", name, ...options],
    ]);
    return stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }

  #far(side: Side): [machine: Machine, ifname: string, own: string] {
    switch (side) {
      case "lan":
        return [this.terminal, "eth0", "lan0"];
      case "internet":
        return [this.internet, "eth0", "wan0"];
      case "office":
        return [this.office, "tun0", "sekisho0"];
      case "stranger":
        return [this.internet, "eth1", "other0"];
    }
  }

  async #dns(machine: Machine, name: string, ...[address, more]: string[]): Promise<void> {
    const daemon = await machine.spawn([
      ...["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts"],
      ...["--user=root", "--group=root", "--pid-file", "--log-facility=-"],
      ...[`--address=/${name}/${address}`, ...(more === undefined ? [] : [`--address=${more}`])],
    ], { stderr: "piped" });
    this.#stack.defer(() => daemon.stop());
    const reader = daemon.child.stderr.getReader();
    await reader.read();
    reader.releaseLock();
    this.#stack.defer(() => daemon.child.stderr.cancel().catch(() => {}));
  }
}

function configIn(dir: string): GatewayConfig {
  return {
    name: "gateway-1",
    state: `${dir}/state`,
    run: "/run/sekisho",
    lan: {
      interface: "lan0",
      address: `${BOX.lan}/24`,
      address6: `${BOX.lan6}/64`,
      dhcp: { from: "192.168.80.100", to: "192.168.80.199", lease: "12h" },
    },
    internet: { interface: "wan0", dns: ["203.0.113.53"] },
    token: { issuers: [], ask_user_id: false, revocations: [] },
    tunnel: { interface: "sekisho0", kernel: "never" },
    panel: { host: BOX.lan, port: 8443 },
    portal: { httpPort: 80, httpsPort: 443 },
  };
}
