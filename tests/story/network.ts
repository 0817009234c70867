/**
 * The story's whole network on one machine: two sites with a gateway, a LAN switch and terminals
 * each, the Internet (router, name server, plain web server), the hub, and the office behind it.
 * Only wires, addresses and what isn't Sekisho's; gateways and hub are started by others.
 */
import { Lab } from "../lab/lab.ts";
import { type Machine, sleep } from "../lab/machine.ts";
import {
  type AccessLine,
  HUB,
  INTERNET,
  type LinkEnd,
  type NamedEnd,
  OFFICE,
  type SitePlan,
  SITES,
} from "./plan.ts";
import { Terminal } from "./terminal.ts";

/** Interfaces have the same names in each machine of a kind. */
export const GATEWAY_INTERFACES = { lan: "lan0", internet: "wan0" } as const;
export const HUB_INTERFACES = { internet: "wan0", office: "office0" } as const;

const DHCP_SCRIPT = `#!/bin/sh
case "$1" in
bound|renew)
  ip addr replace "$ip/$mask" dev "$interface"
  [ -n "$router" ] && ip route replace default via "$router" dev "$interface"
  [ -n "$dns" ] && for each in $dns; do echo "nameserver $each"; done > /etc/resolv.conf
  ;;
esac
exit 0
`;
const WAIT_LIMIT_MS = 30_000;

export class Site {
  readonly plan: SitePlan;
  readonly gateway: Machine;
  readonly terminals: readonly Terminal[];
  /** The router's interface that faces this site: where its uplink is watched. */
  readonly line: string;
  readonly #dhcpScript: string;

  constructor(
    parts: {
      plan: SitePlan;
      gateway: Machine;
      terminals: readonly Terminal[];
      line: string;
      dhcpScript: string;
    },
  ) {
    this.plan = parts.plan;
    this.gateway = parts.gateway;
    this.terminals = parts.terminals;
    this.line = parts.line;
    this.#dhcpScript = parts.dhcpScript;
  }

  /** Plugs the terminals in: IPv4 addresses by DHCP, IPv6 by router advertisement. */
  async connectTerminals(): Promise<void> {
    await Promise.all(this.terminals.map(({ machine }) => this.#connect(machine)));
  }

  /** The provider gives the box other addresses, in mid-flight; the old ones are gone at once. */
  async renumber(to: AccessLine = this.plan.renumbered): Promise<void> {
    await this.gateway.sh(addressing(GATEWAY_INTERFACES.internet, to, { flush: true }));
  }

  async #connect(terminal: Machine): Promise<void> {
    // The kernel asks for routers when a link comes up; the gateway came later than the wire.
    await terminal.sh("ip link set eth0 down; ip link set eth0 up");
    await terminal.sh(
      `udhcpc -i eth0 -n -q -f -t 10 -T 4 -s ${this.#dhcpScript} -x hostname:${terminal.name}`,
    );
    for (let waited = 0; waited < WAIT_LIMIT_MS; waited += 50) {
      if ((await terminal.sh("ip -6 addr show dev eth0 scope global")).includes("inet6")) return;
      await sleep(50);
    }
    throw new Error(`Cannot get an IPv6 address for ${terminal.name}: no router advertises one`);
  }
}

export class StoryNetwork implements AsyncDisposable {
  readonly lab: Lab;
  readonly internet: Machine;
  readonly hub: Machine;
  readonly office: Machine;
  readonly sites: readonly [Site, Site];

  private constructor(lab: Lab, core: Core, sites: readonly [Site, Site]) {
    this.lab = lab;
    this.internet = core.internet;
    this.hub = core.hub;
    this.office = core.office;
    this.sites = sites;
  }

  static async open(): Promise<StoryNetwork> {
    const lab = await Lab.open();
    try {
      const core = await buildCore(lab);
      const [one, two] = SITES;
      const [site1, site2] = await Promise.all([
        buildSite(lab, core.internet, { plan: one, line: "line1" }),
        buildSite(lab, core.internet, { plan: two, line: "line2" }),
      ]);
      return new StoryNetwork(lab, core, [site1, site2]);
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const people = this.sites.flatMap((site) => site.terminals);
    await Promise.all(people.map((terminal) => terminal[Symbol.asyncDispose]()));
    await this.lab[Symbol.asyncDispose]();
  }
}

/** What isn't at a site. */
interface Core {
  readonly internet: Machine;
  readonly hub: Machine;
  readonly office: Machine;
}

async function buildCore(lab: Lab): Promise<Core> {
  const [internet, hub, office] = await Promise.all([
    lab.machine("internet"),
    lab.machine("hub"),
    lab.machine("office"),
  ]);
  for (const machine of [internet, hub, office]) await setNameServers(lab, machine, []);
  await buildInternet(internet);
  await lab.link(internet, "hub", hub, HUB_INTERFACES.internet);
  await internet.sh(addressing("hub", { ...HUB.line, box: HUB.line.router }));
  await hub.sh(addressing(HUB_INTERFACES.internet, HUB.line, { route: true }));
  await lab.link(hub, HUB_INTERFACES.office, office, "eth0");
  await hub.sh(`
    ip addr add ${HUB.office.address}/24 dev ${HUB_INTERFACES.office}
    ip addr add ${HUB.office.address6}/64 dev ${HUB_INTERFACES.office}`);
  await buildOffice(office);
  return { internet, hub, office };
}

async function buildInternet(internet: Machine): Promise<void> {
  const { web, dns } = INTERNET;
  await internet.sh(`
    sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    for a in ${web.address} ${dns.address}; do ip addr add $a/32 dev lo; done
    for a in ${web.address6} ${dns.address6}; do ip addr add $a/128 dev lo; done`);
  await serveNames(internet, dns, web);
  await serveWeb(internet, "the Internet");
}

async function buildOffice(office: Machine): Promise<void> {
  const { web, dns } = OFFICE;
  await office.sh(`
    for a in ${web.address} ${dns.address}; do ip addr add $a/24 dev eth0; done
    for a in ${web.address6} ${dns.address6}; do ip addr add $a/64 dev eth0; done
    ip route add default via ${HUB.office.address}
    ip -6 route add default via ${HUB.office.address6}`);
  await serveNames(office, dns, web);
  await serveWeb(office, "the office");
}

async function buildSite(
  lab: Lab,
  internet: Machine,
  { plan, line }: { plan: SitePlan; line: string },
): Promise<Site> {
  const gateway = await lab.machine(plan.name);
  await lab.link(internet, line, gateway, GATEWAY_INTERFACES.internet);
  for (const each of [plan.line, plan.renumbered]) {
    await internet.sh(addressing(line, { ...each, box: each.router }));
  }
  await gateway.sh(addressing(GATEWAY_INTERFACES.internet, plan.line, { route: true }));
  await setNameServers(lab, gateway, [INTERNET.dns.address]);
  const lan = await lab.machine(`${plan.name}-lan`);
  await lan.sh("ip link add br0 type bridge; ip link set br0 up");
  await lab.link(gateway, GATEWAY_INTERFACES.lan, lan, "port0");
  await lan.sh("ip link set port0 master br0");
  const terminals: Terminal[] = [];
  for (const [i, name] of plan.terminals.entries()) {
    const machine = await lab.machine(name);
    await setNameServers(lab, machine, []);
    await lab.link(machine, "eth0", lan, `port${i + 1}`);
    await lan.sh(`ip link set port${i + 1} master br0`);
    terminals.push(await Terminal.start(machine));
  }
  const dhcpScript = `${lab.dir}/${plan.name}-dhcp.sh`;
  await Deno.writeTextFile(dhcpScript, DHCP_SCRIPT, { mode: 0o755 });
  return new Site({ plan, gateway, terminals, line, dhcpScript });
}

/** A resolv.conf of the machine's own; a machine shares everything else of /etc with its host. */
async function setNameServers(
  lab: Lab,
  machine: Machine,
  servers: readonly string[],
): Promise<void> {
  const file = `${lab.dir}/${machine.name}-resolv.conf`;
  await Deno.writeTextFile(file, servers.map((server) => `nameserver ${server}\n`).join(""));
  await machine.sh(`
    target=$(readlink -f /etc/resolv.conf)
    [ -e "$target" ] || { mkdir -p "$(dirname "$target")"; touch "$target"; }
    mount --bind ${file} "$target"`);
}

/** Shell words that give an interface the box's side of a line, and the way out over it. */
function addressing(
  ifname: string,
  { box, router, prefix, prefix6 }: AccessLine,
  options: { flush?: boolean; route?: boolean } = {},
): string {
  const { flush = false, route = flush } = options;
  const lines = [
    `ip addr add ${box.address}/${prefix} dev ${ifname}`,
    `ip addr add ${box.address6}/${prefix6} dev ${ifname}`,
  ];
  if (flush) lines.unshift(`ip addr flush dev ${ifname} scope global`);
  if (route) {
    lines.push(
      `ip route replace default via ${router.address} dev ${ifname}`,
      `ip -6 route replace default via ${router.address6} dev ${ifname}`,
    );
  }
  return lines.join("\n");
}

async function serveNames(machine: Machine, at: LinkEnd, web: NamedEnd): Promise<void> {
  await machine.spawn([
    ...["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts"],
    ...["--user=root", "--group=root", "--pid-file=", "--bind-interfaces"],
    ...[`--listen-address=${at.address}`, `--listen-address=${at.address6}`],
    ...[`--address=/${web.name}/${web.address}`, `--address=/${web.name}/${web.address6}`],
  ]);
  for (let waited = 0; waited < WAIT_LIMIT_MS; waited += 20) {
    if ((await machine.sh("ss -Hlun 'sport = 53'")).includes(":53")) return;
    await sleep(20);
  }
  throw new Error(`Cannot serve names in ${machine.name}: dnsmasq does not listen`);
}

/** Serves pages in a machine, which say that they are of `name`. */
export async function serveWeb(machine: Machine, name: string): Promise<void> {
  const program = new URL("./web_server.ts", import.meta.url).pathname;
  const server = await machine.spawn(
    [Deno.execPath(), "run", "-A", "--cached-only", "--no-prompt", "--quiet", program, name],
    { stdout: "piped", stderr: "inherit" },
  );
  const reader = server.child.stdout.getReader();
  const { done } = await reader.read();
  reader.releaseLock();
  if (done) throw new Error(`Cannot serve pages in ${machine.name}: the server ended`);
}
