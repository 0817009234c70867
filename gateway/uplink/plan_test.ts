import assert from "node:assert/strict";
import type { SessionGrant } from "../switch/grant.ts";
import {
  FAMILIES,
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

const GRANT: SessionGrant = {
  interface: "sekisho0",
  addresses: ["10.8.0.2/32", "fd08::2"],
  networks: [],
  domains: [],
  dns: [],
  otherTraffic: "drop",
  mtu: 1420,
};

const CONFIG: UplinkConfig = {
  lan: { interface: "lan0", address: "192.168.80.1/24", address6: "fd80::1/64" },
  internet: { interface: "wan0", dns: [] },
  tunnel: { interface: "sekisho0", kernel: "never" },
};

/** The rules' texts in the order in which the kernel asks them, with their places. */
function inOrder(lines: readonly string[]): [place: number, text: string][] {
  const rules = lines.map((line): [number, string] => {
    const [, place, text] = /^rule add pref (\d+) (.+)$/.exec(line) ?? [];
    return [Number(place), text ?? line];
  });
  return rules.sort(([a], [b]) => a - b);
}

Deno.test("uplink plan: without a mark nothing of anybody else's gets past the barrier", () => {
  assert.deepEqual(inOrder(planRules(CONFIG, "-4")), [
    [7000, "oif sekisho0 lookup 7350"],
    [7005, "to 192.168.80.0/24 fwmark 24161 goto 7090"],
    [7010, "fwmark 24161 lookup 7350"],
    [7020, "fwmark 24163 goto 7090"],
    [7030, "iif lo goto 7050"],
    [7040, "from all blackhole"],
    [7050, "nop"],
    [7060, "from 192.168.80.1 lookup 7352"],
    [7090, "nop"],
  ]);
  // "all" would also be the kernel's own look-up on behalf of nobody.
  assert.deepEqual(inOrder(planRules(CONFIG, "-6")).filter(([place]) => place === 7040), [
    [7040, "from ::/1 blackhole"],
    [7040, "from 8000::/1 blackhole"],
  ]);
  for (const family of FAMILIES) {
    for (const lan of [CONFIG.lan, { interface: "lan0", address: "192.168.80.1/24" }]) {
      const rules = inOrder(planRules({ ...CONFIG, lan }, family));
      const targets = rules.map(([, text]) => /goto (\d+)$/.exec(text)?.[1]).filter(Boolean);
      assert.equal(targets.length, lan.address6 === undefined && family === "-6" ? 2 : 3);
      for (const target of targets) {
        assert.ok(rules.some(([place, text]) => place === Number(target) && text === "nop"));
      }
      for (const [place] of rules) assert.ok(RULE_PREFERENCES.includes(place));
    }
  }
  assert.equal(RULE_PREFERENCES[0], 7040, "the barrier is the first to be taken away");
  const spoiled: Partial<UplinkConfig>[] = [
    { tunnel: { interface: "sekisho0 lookup main", kernel: "never" } },
    { lan: { interface: "lan0", address: "192.168.80.1/24 goto 7090" } },
  ];
  for (const part of spoiled) {
    assert.throws(() => planRules({ ...CONFIG, ...part }, "-4"), TypeError);
  }
});

Deno.test("uplink plan: the tunnel's table ends in no way out, the LAN's leads to its links only", () => {
  assert.deepEqual(planFallbacks(CONFIG, "-4"), [
    "route replace unreachable default table 7350 metric 4278198272",
    "route replace blackhole default table 7352 metric 4278198272",
    "route replace throw 192.168.80.0/24 table 7352 metric 10",
    "route replace throw 224.0.0.0/4 table 7352 metric 10",
    "route replace throw 255.255.255.255/32 table 7352 metric 10",
  ]);
  assert.deepEqual(planFallbacks(CONFIG, "-6").slice(2), [
    "route replace throw fd80::/64 table 7352 metric 10",
    "route replace throw fe80::/10 table 7352 metric 10",
    "route replace throw ff00::/8 table 7352 metric 10",
  ]);
});

Deno.test("uplink plan: a session opens the tunnel, and binds its addresses to it", () => {
  const way = ["route replace default dev sekisho0 table 7350 metric 10"];
  assert.deepEqual(planOpen(GRANT, "-4"), way);
  assert.deepEqual(planOpen(GRANT, "-6"), way);
  assert.deepEqual(planSessionRules(GRANT, "-4"), [
    "rule add pref 7070 from 10.8.0.2 iif lo ipproto icmp lookup 7350",
    "rule add pref 7080 from 10.8.0.2 blackhole",
  ]);
  assert.deepEqual(planSessionRules(GRANT, "-6"), [
    "rule add pref 7070 from fd08::2 iif lo ipproto ipv6-icmp lookup 7350",
    "rule add pref 7080 from fd08::2 blackhole",
  ]);
  for (const line of planSessionRules(GRANT, "-4")) {
    assert.ok(SESSION_PREFERENCES.includes(inOrder([line])[0]?.[0] ?? 0));
  }
  // The kernel refuses a rule that is there already.
  const twice = { ...GRANT, addresses: ["10.8.0.2/32", "10.8.0.2/24"] };
  assert.equal(planSessionRules(twice, "-4").length, 2);
  assert.deepEqual([...planOpen(twice, "-6"), ...planSessionRules(twice, "-6")], []);
  assert.deepEqual(planOpen({ ...GRANT, otherTraffic: "direct" }, "-4"), planOpen(GRANT, "-4"));
  assert.deepEqual(planClose(), ["route del default table 7350 metric 10"]);
  assert.throws(() => planOpen({ ...GRANT, interface: "a b" }, "-4"), TypeError);
});

Deno.test("uplink plan: the tunnel's addresses bring no routes of their own", () => {
  assert.deepEqual(planInterface(GRANT), [
    "address replace 10.8.0.2/32 dev sekisho0 noprefixroute",
    "address replace fd08::2/128 dev sekisho0 noprefixroute",
    "link set sekisho0 mtu 1420 up",
  ]);
});

Deno.test("uplink plan: the Internet's routers are listened to before forwarding would forget them", () => {
  const settings = planSettings("lan0", "wan0");
  const at = (path: string) => settings.findIndex((setting) => setting.path === path);
  assert.ok(at("net/ipv6/conf/wan0/accept_ra") < at("net/ipv6/conf/all/forwarding"));
  assert.equal(settings[at("net/ipv6/conf/wan0/accept_ra")]?.value, "2");
  assert.equal(settings[at("net/ipv4/conf/lan0/rp_filter")]?.value, "1");
  assert.equal(settings[at("net/ipv4/conf/all/rp_filter")]?.value, "0");
  // The check's own question must carry the mark, or it ends at the barrier.
  assert.equal(settings[at("net/ipv4/conf/lan0/src_valid_mark")]?.value, "1");
  assert.equal(settings[at("net/ipv4/conf/wan0/src_valid_mark")]?.value, "1");
});
