import assert from "node:assert/strict";
import type { SessionGrant } from "../switch/grant.ts";
import {
  planClose,
  planFallbacks,
  planInterface,
  planOpen,
  planRules,
  planSettings,
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

Deno.test("uplink plan: rules come between the local and the main table, each to its own", () => {
  assert.deepEqual(planRules("lan0", "sekisho0"), [
    "rule add pref 7000 oif sekisho0 lookup 7350",
    "rule add pref 7010 fwmark 24161 lookup 7350",
    "rule add pref 7020 iif lan0 lookup 7351",
  ]);
  assert.throws(() => planRules("lan0 lookup main", "sekisho0"), TypeError);
});

Deno.test("uplink plan: both tables end in no way out, below anything a session adds", () => {
  const metric = (line: string) => Number(/metric (\d+)/.exec(line)?.[1]);
  const fallbacks = planFallbacks();
  assert.deepEqual(fallbacks.map((line) => line.replace(/ metric .*/, "")), [
    "route replace unreachable default table 7350",
    "route replace unreachable default table 7351",
  ]);
  for (const line of planOpen({ ...GRANT, otherTraffic: "direct" }, "-4")) {
    for (const fallback of fallbacks) assert.ok(metric(line) < metric(fallback));
  }
});

Deno.test("uplink plan: a session opens the tunnel, and the main table only for direct traffic", () => {
  const tunnel = "route replace default dev sekisho0 table 7350 metric 10";
  const others = "route replace throw default table 7351 metric 10";
  const v4only = { ...GRANT, addresses: ["10.8.0.2/32"] };
  assert.deepEqual(planOpen(GRANT, "-4"), [tunnel]);
  assert.deepEqual(planOpen(GRANT, "-6"), [tunnel]);
  assert.deepEqual(planOpen(v4only, "-6"), []);
  assert.deepEqual(planOpen({ ...v4only, otherTraffic: "direct" }, "-6"), [others]);
  assert.deepEqual(planOpen({ ...GRANT, otherTraffic: "direct" }, "-4"), [tunnel, others]);
  assert.deepEqual(planClose(), [
    "route del default table 7350 metric 10",
    "route del throw default table 7351 metric 10",
  ]);
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
});
