import assert from "node:assert/strict";
import type { SessionGrant } from "../switch/grant.ts";
import { boxNames, type LanConfig, planLockedDns, planSessionDns } from "./dns_plan.ts";

const CONFIG: LanConfig = {
  name: "gateway-1",
  state: "/var/lib/sekisho",
  run: "/run/sekisho",
  lan: {
    interface: "lan0",
    address: "192.168.80.1/22",
    address6: "fd80::1/64",
    dhcp: { from: "192.168.80.100", to: "192.168.80.199", lease: "12h" },
  },
  internet: { interface: "wan0", dns: ["203.0.113.53"] },
  portal: { httpPort: 80, httpsPort: 443 },
};

const GRANT: SessionGrant = {
  interface: "sekisho0",
  addresses: ["10.8.0.2/32"],
  networks: ["10.0.0.0/8"],
  domains: [],
  dns: [],
  otherTraffic: "drop",
  mtu: 1420,
};

const lines = (text: string, key: string) =>
  text.split("\n").filter((line) => line.startsWith(`${key}=`));

Deno.test("LAN plan: locked, every name is the box and nobody is asked", () => {
  const text = planLockedDns(CONFIG);
  assert.deepEqual(lines(text, "address"), ["address=/#/192.168.80.1", "address=/#/fd80::1"]);
  assert.deepEqual(lines(text, "server"), []);
  assert.deepEqual(lines(text, "local-ttl"), ["local-ttl=0"]);
  assert.ok(text.includes("\nno-resolv\n") && text.includes("\nno-hosts\n"));
});

Deno.test("LAN plan: DHCP leases, and where the portal is", () => {
  const text = planLockedDns(CONFIG);
  assert.deepEqual(lines(text, "dhcp-range"), [
    "dhcp-range=192.168.80.100,192.168.80.199,255.255.252.0,12h",
    "dhcp-range=fd80::,ra-stateless,64,12h",
  ]);
  assert.ok(text.includes("\ndhcp-option=114,https://192.168.80.1/captive-portal/api\n"));
  assert.deepEqual(lines(text, "dhcp-host"), []);
  const mac = "02:00:00:aa:bb:cc";
  const forward = [80, 443].map((port) => ({
    ...{ protocol: "tcp" as const, port, terminal: "192.168.80.50", terminalPort: port, mac },
  }));
  const led = planLockedDns({ ...CONFIG, inbound: { ping: false, forward } });
  assert.deepEqual(lines(led, "dhcp-host"), [`dhcp-host=${mac},192.168.80.50`]);
  const { dhcp: _, address6: __, ...lan } = CONFIG.lan;
  const bare = planLockedDns({ ...CONFIG, lan, portal: { httpPort: 80, httpsPort: 8444 } });
  assert.deepEqual(lines(bare, "dhcp-range"), []);
  assert.ok(!bare.includes("enable-ra"));
});

Deno.test("LAN plan: a session's names go where its packets go", () => {
  const dns = ["10.0.0.53", "fd00:1::53"];
  const behind = (scope: string) => dns.map((one) => `server=${scope}${one}@sekisho0`);
  const table: [Partial<SessionGrant>, string[]][] = [
    [{}, []],
    [{ otherTraffic: "direct" }, ["server=203.0.113.53"]],
    [{ dns }, behind("")],
    [{ dns, otherTraffic: "direct" }, behind("")],
    [{ dns, domains: ["a.example", "b.example"] }, behind("/a.example/b.example/")],
    [
      { dns, domains: ["a.example"], otherTraffic: "direct" },
      [...behind("/a.example/"), "server=203.0.113.53"],
    ],
    [{ domains: ["a.example"] }, []],
  ];
  for (const [part, servers] of table) {
    const text = planSessionDns(CONFIG, { ...GRANT, ...part });
    assert.deepEqual(lines(text, "server"), servers, JSON.stringify(part));
    assert.ok(text.includes("\nno-resolv\n"));
  }
  const text = planSessionDns(CONFIG, { ...GRANT, domains: ["*.A.example.", ".b.example"] });
  assert.deepEqual(lines(text, "nftset"), [
    "nftset=/a.example/b.example/4#inet#sekisho#learned4,6#inet#sekisho#learned6",
  ]);
});

Deno.test("LAN plan: no text of a profile becomes a line of its own", () => {
  for (const domain of ["", "a\nserver=192.0.2.1", "a/b", "a b", "-a.example", "a..b", "#"]) {
    assert.throws(() => planSessionDns(CONFIG, { ...GRANT, domains: [domain] }), TypeError, domain);
  }
  for (const dns of ["dns.example", "10.0.0.53#5353", "10.0.0.53\nport=0", "fe80::1%eth0"]) {
    assert.throws(() => planSessionDns(CONFIG, { ...GRANT, dns: [dns] }), TypeError, dns);
  }
});

Deno.test("the name that passkeys are bound to means the box, also while a session is up", () => {
  const named = (name: string) => ({ ...CONFIG, passkeys: { name, add: true } });
  assert.deepEqual(boxNames(named("gateway-1.internal")), boxNames(CONFIG));
  assert.deepEqual(boxNames(named("home.internal")).slice(-1), ["home.internal"]);
  const addresses = lines(planSessionDns(named("home.internal"), GRANT), "address");
  assert.ok(addresses.includes("address=/home.internal/192.168.80.1"), addresses.join());
});
