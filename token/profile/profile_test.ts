import assert from "node:assert/strict";
import { checkProfile, explainProfile, type Profile } from "./profile.ts";
import { makeSample } from "../../tests/token/sample.ts";

const { profile } = await makeSample();

Deno.test("a whole profile is taken as it is", () => {
  assert.deepEqual(checkProfile(JSON.parse(JSON.stringify(profile))), profile);
  assert.equal(explainProfile(profile), undefined);
});

Deno.test("what the inside may begin, in a profile that says so", () => {
  const inbound = ["tcp/8080-8081@10.20.0.0/16", "icmp@fd20::/64"];
  assert.deepEqual(checkProfile({ ...profile, inbound }), { ...profile, inbound });
});

Deno.test("a later version is told apart from garbage", () => {
  assert.equal(checkProfile({ v: 2, whatever: true }), "newer-version");
  for (const value of [undefined, null, 7, "text", [], {}, { v: 0 }, { v: "2" }, { v: 1 }]) {
    assert.equal(checkProfile(value), "damaged");
  }
});

Deno.test("every wrong field is refused and named", () => {
  const wrong: [string, (profile: Profile) => unknown][] = [
    ["cardId", (p) => ({ ...p, cardId: "" })],
    ["generation", (p) => ({ ...p, generation: 0 })],
    ["expiresAt", (p) => ({ ...p, expiresAt: 1.5 })],
    ["user.name", (p) => ({ ...p, user: { id: "a", name: "x".repeat(129) } })],
    ["identity.publicKey", (p) => ({ ...p, identity: { kind: "sealed", publicKey: "AAAA" } })],
    ["identity.kind", (p) => ({ ...p, identity: { kind: "other" } })],
    ["tunnel.addresses", (p) => ({ ...p, tunnel: { ...p.tunnel, addresses: [] } })],
    ["tunnel.addresses.0", (p) => ({ ...p, tunnel: { ...p.tunnel, addresses: ["10.0.0.1/33"] } })],
    ["tunnel.mtu", (p) => ({ ...p, tunnel: { ...p.tunnel, mtu: 100 } })],
    ["tunnel.dns.0", (p) => ({ ...p, tunnel: { ...p.tunnel, dns: ["name.example.org"] } })],
    ["server.endpoints.0", (p) => ({ ...p, server: { ...p.server, endpoints: ["[::1]"] } })],
    ["destinations.networks.0", (p) => ({ ...p, destinations: { networks: ["x"], domains: [] } })],
    ["destinations.domains.0", (p) => ({ ...p, destinations: { networks: [], domains: ["a b"] } })],
    ["inbound.1", (p) => ({ ...p, inbound: ["icmp@10.20.0.0/16", "tcp/80"] })],
    ["inbound", (p) => ({ ...p, inbound: Array(65).fill("icmp@10.20.0.7") })],
    ["otherTraffic", (p) => ({ ...p, otherTraffic: "maybe" })],
    ["suite", (p) => ({ ...p, suite: 1 })],
    ["extra", (p) => ({ ...p, extra: 1 })],
  ];
  for (const [path, change] of wrong) {
    const value = change(profile);
    assert.equal(checkProfile(value), "damaged", path);
    assert.ok(explainProfile(value)?.startsWith(path), `${path}: ${explainProfile(value)}`);
  }
});

Deno.test("a suite of later times asks for an update; a manual one for a key and no card", () => {
  const later = { ...profile, suite: "wireguard-2" };
  assert.equal(checkProfile(later), "newer-version");
  assert.equal(explainProfile(later), "suite: expected wireguard-1 or wireguard-manual-1");

  const manual = { ...profile, suite: "wireguard-manual-1" } as const;
  assert.deepEqual(checkProfile(manual), manual);
  const keyless = { ...manual, server: { ...profile.server, hasPresharedKey: false } };
  const { publicKey } = profile.identity;
  const onCard = { ...manual, identity: { kind: "on-card", slot: 0x82, publicKey } };
  for (const [value, why] of [[keyless, /--psk/], [onCard, /a card is not asked/]] as const) {
    assert.equal(checkProfile(value), "damaged");
    assert.match(explainProfile(value) ?? "", why);
  }
});

Deno.test("addresses, networks and endpoints of both families", () => {
  const network = (text: string) =>
    checkProfile({ ...profile, destinations: { networks: [text], domains: [] } }) !== "damaged";
  for (const good of ["0.0.0.0/0", "10.0.0.0/8", "::/0", "fd00::/8", "::ffff:10.0.0.1/128"]) {
    assert.ok(network(good), good);
  }
  assert.ok(network("1:2:3:4:5:6:7:8/64"));
  for (
    const bad of ["10.0.0.0", "10.0.0/8", "10.0.0.256/8", "10.0.0.0/08", "::1::/64", "1:2:3/64"]
  ) assert.ok(!network(bad), bad);
  for (const bad of ["1:2:3:4:5:6:7:8:9/64", "::12345/64", "::/129", ":/0", "::1.2.3/96"]) {
    assert.ok(!network(bad), bad);
  }
  const endpoint = (text: string) =>
    checkProfile({ ...profile, server: { ...profile.server, endpoints: [text] } }) !== "damaged";
  for (const good of ["192.0.2.1:51820", "[2001:db8::1]:1", "vpn.example.org:65535", "a:1"]) {
    assert.ok(endpoint(good), good);
  }
  for (const bad of ["192.0.2.1", "2001:db8::1:51820", "[x]:1", "a:0", "a:65536", "a b:1", ":1"]) {
    assert.ok(!endpoint(bad), bad);
  }
});
