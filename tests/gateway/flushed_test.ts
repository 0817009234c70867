/**
 * The box where another program has flushed its ruleset, which it notices within a second. Kernel
 * settings, routes and rules are what stands there: nothing may cross, at any time.
 */
import assert from "node:assert/strict";
import type { SessionGrant } from "../../gateway/switch/grant.ts";
import { type Machine, sleep } from "../lab/machine.ts";
import { labTest } from "../lab/needs.ts";
import { macOf } from "../lab/capture.ts";
import { BOX, GRANT, LEARNED, Network, OFFICE, type Side, STRANGER, WEB } from "./network.ts";

const DIRECT: SessionGrant = { ...GRANT, otherTraffic: "direct" };
const TERMINAL = { v4: "192.168.80.50", v6: "fd80::50" };
/** The same terminal, as it is tried from the stranger's side. */
const AGAIN = { v4: "192.168.80.51", v6: "fd80::51" };
const ROUTER = { v4: "203.0.113.254", v6: "2001:db8:1::254" };
const SIDES: readonly Side[] = ["lan", "internet", "office", "stranger"];
/** Nobody listens there. */
const PORT = 9997;

interface Try {
  readonly from: Side;
  readonly script: string;
  /** What the box sends, and on which wire, if it succeeds. */
  readonly shows: string;
}

const TRIES: readonly Try[] = [
  ...(["v4", "v6"] as const).flatMap((ip) => [
    // Out of the tunnel, and from the Internet, to a terminal that didn't ask.
    crossing("office", TERMINAL[ip], "lan", OFFICE[ip]),
    crossing("internet", TERMINAL[ip], "lan", ROUTER[ip]),
    crossing("internet", AGAIN[ip], "lan", STRANGER[ip]),
    crossing("office", WEB[ip], "internet", OFFICE[ip]),
    // In the clear what is for the tunnel, and what isn't; by a way that nobody configured.
    crossing("lan", OFFICE[ip], "internet", TERMINAL[ip]),
    crossing("lan", WEB[ip], "internet", TERMINAL[ip]),
    crossing("lan", STRANGER[ip], "stranger", TERMINAL[ip]),
  ]),
  crossing("lan", LEARNED, "internet", TERMINAL.v4),
  // The box's own services: what they would say to the office in the clear, and to the Internet.
  answer("office", BOX.tunnel, OFFICE.v4),
  answer("office", "fd08::2", OFFICE.v6),
  answer("office", BOX.lan, OFFICE.v4),
  answer("office", BOX.lan6, OFFICE.v6),
  answer("internet", BOX.lan, ROUTER.v4),
  answer("internet", BOX.lan6, ROUTER.v6),
];

labTest(
  "switch: without its ruleset the box lets nothing across, and the ruleset comes back",
  async () => {
    await using network = await openNetwork();
    const { gateway } = network;
    const crossed = () => tryAll(network);

    // A box like any other: all of it crosses, and the wires are seen.
    await gateway.sh(PLAIN_ROUTER);
    const wanted = TRIES.map(({ shows }) => shows);
    const seen = new Set<string>();
    while (!wanted.every((line) => seen.has(line))) {
      for (const line of await crossed()) seen.add(line);
    }
    await gateway.sh("ip addr flush dev sekisho0");

    const box = await network.box();
    await box.do({ do: "prepare" });
    assert.deepEqual(await crossed(), [], "before the first ruleset");

    await box.do({ do: "lock" });
    await box.do({ do: "start-lan" });
    for (const grant of [GRANT, DIRECT]) {
      await box.do({ do: "open", grant });
      await gateway.sh("nft flush ruleset");
      assert.deepEqual(await crossed(), [], `in a session, other traffic: ${grant.otherTraffic}`);
      await box.do({ do: "drops" });
      assert.match(await gateway.sh("nft list ruleset"), /table inet sekisho/);
      assert.match(
        (await network.fetch(`http://${OFFICE.v4}/`)).stdout,
        /^office sees ::ffff:10\.8/,
      );
    }
    assert.match((await network.fetch(`http://${WEB.v4}/`)).stdout, /^internet/);
    assert.match((await network.fetch(`http://[${WEB.v6}]/`)).stdout, /^internet/);
    // Another program's route by a table of its own is still taken.
    await gateway.sh("ip -6 route add 2001:db8:a::/48 via 2001:db8:1::254 dev wan0 table 100");

    await gateway.sh("nft flush ruleset");
    await box.do({ do: "lock" });
    assert.equal((await network.fetch(`https://${OFFICE.v4}/`)).code, 7, "refused at once again");

    await box.do({ do: "close" });
    await box.do({ do: "stop-lan" });
    await gateway.sh("nft flush ruleset");
    assert.deepEqual(await crossed(), [], "after a stop");
  },
);

/** What forwards everything: what the gateway would be without rules. */
const PLAIN_ROUTER = `
  echo 0 > /proc/sys/net/ipv4/tcp_synack_retries # no late answer among what is tried next
  echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
  for i in all lan0 wan0 sekisho0 other0; do echo 0 > /proc/sys/net/ipv4/conf/$i/rp_filter; done
  ip addr add ${BOX.lan}/24 dev lan0; ip addr add ${BOX.lan6}/64 dev lan0 nodad
  ip addr add ${BOX.tunnel}/32 dev sekisho0; ip addr add fd08::2/128 dev sekisho0`;

async function openNetwork(): Promise<Network> {
  const network = await Network.open();
  try {
    await network.connectStranger();
    const { terminal, internet, office, gateway } = network;
    await terminal.sh(`echo 0 > /proc/sys/net/ipv6/conf/eth0/autoconf
      ip addr add ${AGAIN.v4}/24 dev eth0; ip addr add ${AGAIN.v6}/64 dev eth0 preferred_lft 0`);
    await internet.sh(
      `ip route add ${AGAIN.v4} via 172.16.0.1; ip -6 route add ${AGAIN.v6} via fd16::1`,
    );
    // Whatever the box is doing, the office finds it.
    await office.sh(`
      ip neigh replace ${BOX.tunnel} lladdr ${await macOf(gateway, "sekisho0")} dev tun0
      for to in 192.168.80.0/24 ${WEB.v4}; do ip route add $to via ${BOX.tunnel} dev tun0 onlink; done
      for to in fd80::/64 ${WEB.v6}; do ip -6 route add $to via fd08::2 dev tun0; done`);
    await network.serve();
    for (const side of SIDES) await network.watch(side);
    return network;
  } catch (error) {
    await network[Symbol.asyncDispose]();
    throw error;
  }
}

function crossing(from: Side, to: string, wire: Side, source: string): Try {
  const script = `printf x > /dev/udp/${to}/${PORT}`;
  return { from, script, shows: `${wire}: udp ${source} > ${to}` };
}

/** A connection to the box's own web server. */
function answer(from: Side, at: string, asker: string): Try {
  const script = `timeout 1 bash -c ': > /dev/tcp/${at}/80' &`;
  return { from, script, shows: `internet: tcp ${at} > ${asker}` };
}

/** What the box has let across; its own errors to the office, by the tunnel, are in order. */
async function tryAll(network: Network): Promise<string[]> {
  const since = Date.now();
  const { terminal, internet, office } = network;
  const machines: Partial<Record<Side, Machine>> = { lan: terminal, internet, office };
  await Promise.all(
    Object.entries(machines).map(([side, machine]) => {
      const scripts = TRIES.filter(({ from }) => from === side).map(({ script }) => script);
      return machine.run(["bash", "-c", [...scripts, "wait"].join("\n")]);
    }),
  );
  await sleep(200);
  const lines: string[] = [];
  for (const side of SIDES) {
    for (const { kind, source, destination } of await network.sent(side, since)) {
      if (side === "office" && kind === "icmp") continue;
      lines.push(`${side}: ${kind} ${source} > ${destination}`);
    }
  }
  return [...new Set(lines)];
}
