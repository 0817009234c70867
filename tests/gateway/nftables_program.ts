/** Gives the kernel every plan there is, by the library and by the program; prints what went wrong. */
import { forgetConnections } from "../../os/conntrack.ts";
import { NftablesError, openNftables } from "../../os/libnftables.ts";
import type { SessionGrant } from "../../gateway/switch/grant.ts";
import { SESSION_MARK } from "../../gateway/switch/numbers.ts";
import { planRefresh, planRuleset } from "../../gateway/switch/plan.ts";
import type { SwitchConfig } from "../../gateway/switch/scope.ts";

const faults: string[] = [];
let accepted = 0;

for (const prefer of ["libnftables", "nft"] as const) {
  using nftables = openNftables({ prefer });
  expect(nftables.by === prefer, `${prefer} is used`);
  for (const config of configs()) {
    for (const grant of [undefined, ...grants()]) {
      for (const dnsGroup of [undefined, 30]) {
        const plan = planRuleset({ config, grant, dnsGroup });
        try {
          nftables.check(plan);
          nftables.run(plan);
          nftables.run(plan); // also onto itself
          nftables.run(planRefresh(config));
          accepted++;
        } catch (error) {
          faults.push(`${prefer}: ${error instanceof Error ? error.message : error}\n${plan}`);
        }
      }
    }
  }
  const before = nftables.run("list table inet sekisho");
  expect(
    refused(() => nftables.run("flush table inet sekisho; add rule inet sekisho none drop")),
    `${prefer} says that a transaction is refused`,
  );
  expect(refused(() => nftables.check("add chain inet none none")), `${prefer} checks`);
  const after = nftables.run("list table inet sekisho");
  const still = (text: string) => text.replace(/expires \S+/g, "");
  expect(still(after) === still(before), `${prefer}: a refused transaction changes nothing`);
  expect(nftables.json("list counters table inet sekisho").length > 5, `${prefer} lists as JSON`);
}
await forgetConnections(SESSION_MARK);
console.log(JSON.stringify({ accepted, faults }));

function expect(holds: boolean, what: string): void {
  if (!holds) faults.push(`not so: ${what}`);
}

function refused(act: () => void): boolean {
  try {
    act();
    return false;
  } catch (error) {
    return error instanceof NftablesError && /^Cannot apply the ruleset: .+/.test(error.message);
  }
}

function configs(): SwitchConfig[] {
  const lan = { interface: "lan0", address: "192.168.80.1/24" };
  const config = {
    lan: { ...lan, address6: "fd80::1/64" },
    internet: { interface: "wan0.7", dns: ["203.0.113.53", "2001:db8::53"] },
    portal: { httpPort: 80, httpsPort: 443 },
    panel: { host: "192.168.80.1", port: 8443 },
    inbound: {
      ping: true,
      forward: [
        { protocol: "tcp", port: 80, terminal: "192.168.80.50", terminalPort: 8080 },
        { protocol: "tcp", port: 80, terminal: "fd80::50", terminalPort: 80 },
        { protocol: "udp", port: 5, terminal: "192.168.80.50", terminalPort: 5 },
      ],
    },
  } as const;
  return [config, {
    lan,
    internet: { interface: "ppp-1_x", dns: [] },
    portal: { httpPort: 8080, httpsPort: 8444 },
    panel: { host: "192.168.80.1", port: 8444 },
  }];
}

function grants(): SessionGrant[] {
  const base: SessionGrant = {
    interface: "sekisho0",
    addresses: ["10.8.0.2/32", "fd08::2/128"],
    networks: ["10.0.0.0/8", "fd00:1::/32"],
    domains: ["office.example"],
    dns: ["10.0.0.53"],
    otherTraffic: "drop",
    mtu: 1420,
  };
  const shapes: Partial<SessionGrant>[] = [
    {},
    { networks: ["0.0.0.0/0", "::/0"] },
    { networks: ["0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"] },
    { networks: ["10.0.0.0/8", "10.0.0.0/8", "10.1.2.3", "::1/128", "192.0.2.0/31"] },
    { networks: [], dns: [], domains: [] },
    { addresses: ["10.8.0.2"] },
    { addresses: ["fd08::2/64"] },
    { addresses: [] },
    {
      inbound: ["tcp/80-81@10.0.0.0/8", "udp/5@10.0.0.7", "tcp/80@fd00:1::/32", "icmp@0.0.0.0/0"],
      listening: { port: 51820, peers: ["192.0.2.1", "2001:db8::1"] },
      mtu: 1280,
    },
    { networks: Array.from({ length: 2000 }, (_, i) => `10.${i >> 8}.${i & 255}.0/25`) },
  ];
  return shapes.flatMap((shape) =>
    (["drop", "direct"] as const).map((otherTraffic) => ({ ...base, ...shape, otherTraffic }))
  );
}
