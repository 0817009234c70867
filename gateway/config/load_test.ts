import assert from "node:assert/strict";
import { ConfigError, parseConfig } from "../../os/config.ts";
import { GatewayConfigSchema, loadGatewayConfig } from "./load.ts";

const KEY = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

const FULL = `
name = "gateway-1"
state = "/var/lib/sekisho"
run = "/run/sekisho"
[lan]
interface = "lan0"
address = "192.168.80.1/24"
address6 = "fd80::1/64"
dhcp = { from = "192.168.80.100", to = "192.168.80.199", lease = "12h" }
[internet]
interface = "wan0"
dns = ["203.0.113.53"]
[reader]
name = "Virtual PCD 00 00"
[token]
issuers = ["${KEY}"]
ask_user_id = true
revocations = ["/etc/sekisho/revoked.jws"]
profiles = "/etc/sekisho/profiles"
hub_profiles = { hub = "hub.example.org:51822", key_file = "/etc/sekisho/profiles.key" }
[tunnel]
interface = "vpn0"
kernel = "never"
listen_port = 51821
[inbound]
ping = true
[[inbound.forward]]
port = 8000
to = "192.168.80.50:80"
mac = "02:00:00:AA:BB:CC"
[[inbound.forward]]
protocol = "udp"
port = 5060
to = "[fd80:0::50]:5061"
[panel]
listen = "[fd80::1]:9443"
[portal]
http_port = 8080
https_port = 8444
[share]
terminals = ["192.168.80.20", "A4:BB:6D:01:02:03"]
reader_port = 8445
idle_limit = 10
hard_limit = 90
before_unlock = true
pin = "ask"
allow = ["write", "change-pin"]
[passkeys]
name = "home.internal"
add = false
`;

const SMALL = `
name = "g"
lan = { interface = "lan0", address = "192.168.80.1/24" }
internet = { interface = "wan0" }
token = { issuers = ["${KEY}"] }
`;

const parse = (text: string) => parseConfig(text, { name: "g.toml", schema: GatewayConfigSchema });

Deno.test("gateway config: every key arrives", () => {
  const { token, ...config } = parse(FULL);
  assert.equal(token.issuers[0]?.toBase64({ alphabet: "base64url", omitPadding: true }), KEY);
  assert.equal(token.ask_user_id, true);
  assert.deepEqual(token.revocations, ["/etc/sekisho/revoked.jws"]);
  assert.equal(token.profiles, "/etc/sekisho/profiles");
  assert.deepEqual(token.hub_profiles, {
    hub: "hub.example.org:51822",
    key_file: "/etc/sekisho/profiles.key",
  });
  assert.deepEqual(config, {
    name: "gateway-1",
    state: "/var/lib/sekisho",
    run: "/run/sekisho",
    lan: {
      interface: "lan0",
      address: "192.168.80.1/24",
      address6: "fd80::1/64",
      dhcp: { from: "192.168.80.100", to: "192.168.80.199", lease: "12h" },
    },
    internet: { interface: "wan0", dns: ["203.0.113.53"] },
    reader: { name: "Virtual PCD 00 00" },
    passkeys: { name: "home.internal", add: false },
    tunnel: { interface: "vpn0", kernel: "never", listenPort: 51821 },
    inbound: {
      ping: true,
      forward: [
        {
          ...{ protocol: "tcp", port: 8000, terminal: "192.168.80.50", terminalPort: 80 },
          mac: "02:00:00:aa:bb:cc",
        },
        { protocol: "udp", port: 5060, terminal: "fd80::50", terminalPort: 5061 },
      ],
    },
    panel: { host: "fd80::1", port: 9443 },
    portal: { httpPort: 8080, httpsPort: 8444 },
    share: {
      ...{ terminals: ["192.168.80.20", "a4:bb:6d:01:02:03"], readerPort: 8445 },
      ...{ idleMs: 10_000, hardMs: 90_000, beforeUnlock: true, pin: "ask" },
      allow: ["write", "change-pin"],
    },
  });
});

Deno.test("gateway config: defaults", () => {
  const config = parse(SMALL);
  assert.deepEqual(config.panel, { host: "192.168.80.1", port: 8443 });
  assert.deepEqual(config.portal, { httpPort: 80, httpsPort: 443 });
  assert.equal(config.token.ask_user_id, false);
  assert.deepEqual(config.tunnel, { interface: "sekisho0", kernel: "never" });
  assert.equal(config.state, "/var/lib/sekisho");
  assert.deepEqual(config.internet.dns, []);
  assert.equal(config.reader, undefined);
  assert.equal(config.lan.dhcp, undefined);
  assert.equal(config.share, undefined, "nothing is shared unless it is asked for");
  assert.equal(config.inbound, undefined, "and nobody is let in");
  assert.deepEqual(parse(`${SMALL}inbound = {}`).inbound, { ping: false, forward: [] });
  assert.equal(config.passkeys, undefined, "nor is a passkey taken");
  assert.deepEqual(parse(`${SMALL}passkeys = {}`).passkeys, { name: "g.internal", add: true });
});

Deno.test("gateway config: sharing, with its defaults", () => {
  assert.deepEqual(parse(`${SMALL}share = { terminals = ["*"] }`).share, {
    ...{ terminals: ["*"], idleMs: 20_000, hardMs: 60_000, beforeUnlock: false },
    ...{ pin: "keep", allow: [] },
  });
});

const replaced = (from: string, to: string) => {
  assert.ok(FULL.includes(from), from);
  return FULL.replace(from, to);
};

Deno.test("gateway config: each fault is one line with file, key and what is expected", () => {
  const table: [text: string, message: RegExp][] = [
    ["", /^Cannot use g.toml: name is missing; expected a name of/],
    ["name = ", /^Cannot read g.toml: line 1: not TOML/],
    ["name = 1\nname = 2", /line 2: not TOML/],
    [replaced(`"gateway-1"`, "7"), /: name: expected a name of .*, not 7$/],
    [replaced(`"gateway-1"`, `"Gate way"`), /: name: expected a name of .*, not "Gate way"$/],
    [replaced(`"/run/sekisho"`, `"run"`), /: run: expected a folder's absolute path/],
    [replaced("[panel]", "[pannel]"), /: pannel is no key/],
    [replaced("address6", "adress6"), /: lan.adress6 is no key/],
    [replaced(`"192.168.80.1/24"`, `"192.168.80.1"`), /: lan.address: .* not "192.168.80.1"$/],
    [replaced(`"192.168.80.1/24"`, `"192.168.80.1/32"`), /: lan.address: .*prefix length/],
    [replaced(`"fd80::1/64"`, `"fd80::1/48"`), /: lan.address6: .*prefix length/],
    [replaced(`interface = "lan0"`, `interface = "a b"`), /: lan.interface: .*1 to 15 letters/],
    [replaced(`interface = "lan0"\n`, ""), /: lan.interface is missing; expected an interface's/],
    [replaced(`"192.168.80.100"`, `"192.168.81.100"`), /: lan.dhcp.from: .*LAN's network/],
    [replaced(`"192.168.80.199"`, `"192.168.80.9"`), /: lan.dhcp.to: .*not before dhcp.from/],
    [replaced(`"12h"`, `"1m"`), /: lan.dhcp.lease: .*from 2 minutes on/],
    [replaced(`"12h"`, `"soon"`), /: lan.dhcp.lease: .*from 2 minutes on/],
    [replaced(`"wan0"`, `"lan0"`), /: internet.interface: expected another interface/],
    [replaced(`"vpn0"`, `"wan0"`), /: tunnel.interface: expected an interface of its own/],
    [replaced(`["203.0.113.53"]`, `"203.0.113.53"`), /: internet.dns: expected a list of IP/],
    [
      replaced(`["203.0.113.53"]`, `["dns.example"]`),
      /: internet.dns\[1\]: expected an IP address/,
    ],
    [replaced(KEY, "AAAA"), /: token.issuers\[1\]: expected an Ed25519 public key/],
    [
      replaced(`["/etc/sekisho/revoked.jws"]`, `["revoked.jws"]`),
      /: token.revocations\[1\]: expected a file's absolute path/,
    ],
    [
      replaced("hub.example.org:51822", "hub.example.org"),
      /: token.hub_profiles.hub: expected a hub's "host:port"/,
    ],
    [
      replaced(`"/etc/sekisho/profiles"`, `"profiles"`),
      /: token.profiles: expected a folder's absolute path/,
    ],
    [replaced(`["${KEY}"]`, "[]"), /: token.issuers: expected a list of at least one/],
    [
      replaced(`"[fd80::1]:9443"`, `"fd80::1:9443"`),
      /: panel.listen: expected an address and port/,
    ],
    [replaced(`"[fd80::1]:9443"`, `"192.0.2.1:70000"`), /: panel.listen: expected an address/],
    [replaced("8080", "0"), /: portal.http_port: expected a port, 1 to 65535, not 0$/],
    [replaced("8080", `"80"`), /: portal.http_port: expected a port, .* not "80"$/],
    [replaced("8080", "80.5"), /: portal.http_port: expected a port/],
    [replaced("8444", "8080"), /: portal.https_port: expected another port/],
    [
      replaced(`"192.168.80.20"`, `"somebody"`),
      /: share.terminals\[1\]: expected "\*", a terminal's/,
    ],
    [
      replaced("terminals = [", "terminals = [] #"),
      /: share.terminals: expected a list of at least/,
    ],
    [replaced("hard_limit = 90", "hard_limit = 120"), /: share.hard_limit: expected .*1 to 110/],
    [replaced("idle_limit = 10", "idle_limit = 0"), /: share.idle_limit: expected whole seconds/],
    [replaced(`pin = "ask"`, `pin = "tell"`), /: share.pin: expected "keep" or "ask"/],
    [replaced(`"write"`, `"everything"`), /: share.allow\[1\]: expected "change-pin" or/],
    [
      replaced("reader_port = 8445", "reader_port = 8080"),
      /: share.reader_port: expected a port that/,
    ],
    [
      replaced(`"192.168.80.50:80"`, `"192.168.80.50"`),
      /: inbound.forward\[1\].to: expected a terminal's address and port such as/,
    ],
    ...["192.168.81.50:80", "192.168.80.1:80", "192.168.80.255:80", "[fd80::1]:80"].map(
      (to): [string, RegExp] => [
        replaced("192.168.80.50:80", to),
        /: inbound: expected a terminal's address in the LAN's network, not /,
      ],
    ),
    [
      replaced(`"[fd80:0::50]:5061"`, `"[fd80:0::50]:5061"\nmac = "02:00:00:aa:bb:cc"`),
      /: inbound: expected mac only where lan.dhcp gives out IPv4 addresses/,
    ],
    [
      replaced(`"02:00:00:AA:BB:CC"`, `"02-00-00-AA-BB-CC"`),
      /: inbound.forward\[1\].mac: expected a hardware address/,
    ],
    [
      replaced("[panel]", `[[inbound.forward]]\nport = 8000\nto = "192.168.80.51:80"\n[panel]`),
      /: inbound: expected each port once for a family of addresses, not tcp\/8000 twice/,
    ],
    [
      replaced(
        "[panel]",
        `[[inbound.forward]]\nport = 1\nto = "192.168.80.51:80"\nmac = "02:00:00:AA:BB:cc"\n[panel]`,
      ),
      /: inbound: expected one address for each mac/,
    ],
    [replaced("port = 8000", "port = 0"), /: inbound.forward\[1\].port: expected a port/],
    ...["example.org", "192.168.80.1", "Home.internal", "internal", "a..internal"].map((
      name,
    ): [string, RegExp] => [
      replaced("home.internal", name),
      /: passkeys.name: expected a name of this box under "\.internal", .* not "/,
    ]),
    [replaced("add = false", `add = "no"`), /: passkeys.add: expected true or false, not "no"$/],
    [`lan = 3\n${SMALL.replace(/lan = .*\n/, "")}`, /: lan: expected a table, not 3/],
  ];
  for (const [text, says] of table) {
    assert.throws(() => parse(text), (error) => {
      assert.ok(error instanceof ConfigError, String(error));
      assert.match(error.message, says);
      assert.ok(!error.message.includes("\n"), "one line");
      return true;
    });
  }
});

Deno.test("gateway config: files that can't be read", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${dir}/binary`, new Uint8Array([0xff, 0xfe, 0]));
    await Deno.writeTextFile(`${dir}/large`, "#".repeat(2 << 20));
    const table: [string, RegExp][] = [
      [`${dir}/none`, /none: there is no such file/],
      [dir, /it is a folder/],
      [`${dir}/binary`, /not UTF-8/],
      [`${dir}/large`, /more than 1 MiB/],
      [`${dir}/binary/x`, /Cannot read/],
    ];
    for (const [path, says] of table) {
      await assert.rejects(loadGatewayConfig(path), (error) => {
        assert.ok(error instanceof ConfigError, String(error));
        assert.match(error.message, says);
        return true;
      });
    }
    await Deno.writeTextFile(`${dir}/good`, FULL);
    assert.equal((await loadGatewayConfig(`${dir}/good`)).name, "gateway-1");
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
