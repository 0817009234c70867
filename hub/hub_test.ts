import assert from "node:assert/strict";
import { parseConfig } from "../os/config.ts";
import { type NativeKey, parsePublicKey } from "../tunnel/api.ts";
import { Announced } from "./announced.ts";
import { type HubConfig, HubConfigSchema } from "./hub_config.ts";
import { readKeyFile } from "./key_file.ts";
import { type ClientSecrets, peerChanges } from "./peers.ts";
import { ruleset } from "./ruleset.ts";
import { Whereabouts } from "./whereabouts.ts";

const ALICE = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const BOB = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const CAROL = "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const HEAD = `private_key_file = "/k"\naddresses = ["10.77.0.1/24", "fd77::1/64"]\n`;

Deno.test("hub: a configuration with its defaults", () => {
  const config = read(`${HEAD}[[client]]\nname = "Alice"\npublic_key = "${ALICE}"
    addresses = ["10.77.0.2"]\nnetworks = ["10.20.0.0/16"]`);
  assert.equal(config.listen_port, 51820);
  assert.equal(config.mtu, 1420);
  assert.equal(config.masquerade, false);
  assert.equal(config.client[0]?.name, "Alice");
});

Deno.test("hub: what a configuration may not say, with the key and what is expected", () => {
  const client = (name: string, key: string, address: string, network = "10.20.0.0/16") =>
    `[[client]]\nname = "${name}"\npublic_key = "${key}"\naddresses = ["${address}"]
    networks = ["${network}"]\n`;
  const table: [string, RegExp][] = [
    [`${HEAD}listen_port = 0`, /listen_port: .*expected a UDP port, 1 to 65535/],
    [`${HEAD}listen_port = "x"`, /listen_port: .*expected a UDP port/],
    [`${HEAD}interface = "a b"`, /interface: .*at most 15/],
    [`${HEAD}interface = "eth0\\"; drop"`, /interface: /],
    [`${HEAD}color = 1`, /color is no key that is known/],
    [`private_key_file = "k"\naddresses = ["10.0.0.1/8"]`, /private_key_file: .*absolute path/],
    [`private_key_file = "/k"\naddresses = ["10.0.0.1"]`, /addresses\[1\]: .*prefix length/],
    [`private_key_file = "/k"\naddresses = []`, /addresses: .*at least one/],
    [`addresses = ["10.0.0.1/8"]`, /private_key_file is missing/],
    [HEAD + client("a", "short", "10.77.0.2"), /client\[1\]\.public_key: .*44 characters/],
    [
      HEAD + client("a", ALICE, "10.77.0.2", "10.20.0.1/16"),
      /client\[1\]\.networks\[1\]: .*no bits/,
    ],
    [
      HEAD + client("a", ALICE, "10.77.0.2") + 'inbound = ["tcp/80"]',
      /client\[1\]\.inbound\[1\]: .*expected a rule such as "tcp\/8080@10\.20\.0\.0\/16"/,
    ],
    [
      HEAD + client("a", ALICE, "10.77.0.2") +
      `inbound = ${JSON.stringify(Array(65).fill("icmp@10.20.0.7"))}`,
      /client\[1\]\.inbound: .*at most 64 rules/,
    ],
    [HEAD + client("a", ALICE, "10.77.0.2") + client("a", BOB, "10.77.0.3"), /each name once/],
    [HEAD + client("a", ALICE, "10.77.0.2") + client("b", ALICE, "10.77.0.3"), /public_key once/],
    [HEAD + client("a", ALICE, "10.77.0.2") + client("b", BOB, "10.77.0.0/24"), /address once/],
  ];
  for (const [text, expected] of table) {
    assert.throws(() => read(text), (error) => {
      assert.ok(error instanceof Error);
      assert.equal(error.name, "ConfigError");
      assert.match(error.message, expected);
      return !error.message.includes("\n");
    }, text);
  }
});

Deno.test("hub: the ruleset drops by default and pairs each client with its networks", () => {
  const text = ruleset(config([
    { name: "Alice", key: ALICE, addresses: ["10.77.0.2", "fd77::2"], networks: ["10.20.0.0/16"] },
    { name: "Bob", key: BOB, addresses: ["10.77.0.3"], networks: ["10.20.1.0/24", "10.20.1.7"] },
  ]));
  assert.match(text, /hook forward priority filter; policy drop;/);
  const four = /set allowed4 {.*elements = { (.*) };/.exec(text)?.[1]?.split(", ");
  // 10.20.1.7 lies in 10.20.1.0/24: a set of intervals would refuse it
  assert.deepEqual(four, ["10.77.0.2 . 10.20.0.0/16", "10.77.0.3 . 10.20.1.0/24"]);
  assert.match(text, /set allowed6 { type ipv6_addr \. ipv6_addr; flags interval; }/);
  assert.doesNotMatch(text, /masquerade/);
  assert.match(ruleset({ ...config([]), masquerade: true }), /ip saddr @clients4 masquerade/);
});

Deno.test("hub: what the inside may begin, there and back, rule by rule", () => {
  const told = read(`${HEAD}[[client]]\nname = "Alice"\npublic_key = "${ALICE}"
    addresses = ["10.77.0.2", "10.77.0.2/32", "fd77::2"]\nnetworks = ["10.20.0.0/16"]
    inbound = ["tcp/8080@10.20.0.0/16", "udp/5-9@10.20.0.7", "icmp@fd20::/64"]
    [[client]]\nname = "Bob"\npublic_key = "${BOB}"\naddresses = ["10.77.0.3"]
    networks = []\ninbound = ["icmp@fd20::/64"]
    [[client]]\nname = "Carol"\npublic_key = "${CAROL}"\naddresses = ["10.77.0.4"]
    networks = []\ninbound = ["icmp@fd20::/64", "udp/5-9@10.20.0.7", "tcp/8080@10.20.0.0/16"]`);
  const text = ruleset(told, { whereUnknown: told.client.slice(1, 2) });
  const chain = (name: string) =>
    new RegExp(`chain ${name} {\n([^}]*?)\n  }`).exec(text)?.[1]?.split("\n")
      .map((line) => line.trim());
  assert.deepEqual(chain("begin_1_4"), [
    "ip saddr 10.20.0.0/16 tcp dport 8080-8080 goto speak_first",
    "ip saddr 10.20.0.7 udp dport 5-9 goto speak_first",
  ]);
  assert.deepEqual(chain("begin_1_6"), [
    "ip6 saddr fd20::/64 icmpv6 type echo-request goto speak_first",
  ]);
  assert.ok(
    chain("answer_1_4")?.includes(
      "ip daddr 10.20.0.0/16 ct state established tcp sport 8080-8080 ct direction reply " +
        "counter name inward accept",
    ),
  );
  // Who has the same rules, in whatever order, shares a chain.
  assert.match(
    text,
    /map begin4 {.* elements = { 10\.77\.0\.2 : jump begin_1_4, 10\.77\.0\.4 : jump begin_1_4 };/,
  );
  assert.match(text, /set unknown4 {.* elements = { 10\.77\.0\.3 };/);
  // Bob has no address of the rule's family.
  assert.doesNotMatch(text, /begin_2/);
  const none = ruleset(config([{ name: "A", key: ALICE, addresses: ["10.77.0.2"], networks: [] }]));
  assert.doesNotMatch(none, /jump begin_/);
  assert.match(none, /map begin4 { type ipv4_addr : verdict; flags interval; }/);
});

Deno.test("hub: whom nobody knows where to find, until heard of", () => {
  const endpoint = "192.0.2.1:5";
  const [alice, bob] = config([
    { name: "Alice", key: ALICE, addresses: ["10.77.0.2", "fd77::2"], networks: [] },
    { name: "Bob", key: BOB, addresses: ["10.77.0.3"], networks: [], endpoint },
  ]).client;
  assert.ok(alice && bob);
  const plans: string[] = [];
  const whereabouts = new Whereabouts((plan) => plans.push(plan));
  whereabouts.reset([alice, bob], new Set());
  assert.deepEqual(whereabouts.unknown, [alice]);
  whereabouts.heard(bob.public_key);
  whereabouts.heard(alice.public_key);
  whereabouts.heard(alice.public_key);
  assert.deepEqual(plans, [
    "delete element inet sekisho_hub unknown4 { 10.77.0.2 }\n" +
    "delete element inet sekisho_hub unknown6 { fd77::2 }\n",
  ]);
  assert.deepEqual(whereabouts.unknown, []);
  const torn = new Whereabouts(() => {
    throw new Error("No such table");
  });
  torn.reset([alice], new Set());
  torn.heard(alice.public_key);
  assert.deepEqual(torn.unknown, []);
  whereabouts.reset([alice, bob], new Set([alice.public_key]));
  assert.deepEqual(whereabouts.unknown, []);
});

Deno.test("hub: peers of a reload: the gone first, the others as they are, no endpoint set back", () => {
  const alice = { name: "Alice", key: ALICE, addresses: ["10.77.0.2"], networks: [] };
  const before = config([{ ...alice, endpoint: "192.0.2.1:5" }, {
    name: "Bob",
    key: BOB,
    addresses: ["10.77.0.3"],
    networks: [],
  }]).client;
  const psk: NativeKey = { address: 16n, length: 32 };
  const same = config([{ ...alice, addresses: ["10.77.0.3"], endpoint: "192.0.2.1:5" }]).client;
  assert.deepEqual(peerChanges({ from: before, to: same }, secrets(psk)), [
    { publicKey: BOB, remove: true },
    { publicKey: ALICE, presharedKey: psk, replaceAllowedIps: true, allowedIps: ["10.77.0.3"] },
  ]);
  const moved = config([{ ...alice, endpoint: "192.0.2.9:5" }]).client;
  assert.deepEqual(peerChanges({ from: before, to: moved }, secrets(undefined))[1], {
    publicKey: ALICE,
    presharedKey: "none",
    replaceAllowedIps: true,
    allowedIps: ["10.77.0.2"],
    endpoint: "192.0.2.9:5",
  });
});

Deno.test("hub: a client's manual key takes the place of handshakes, with what is remembered of it", () => {
  const alice = { name: "Alice", key: ALICE, addresses: ["10.77.0.2"], networks: [] };
  const key: NativeKey = { address: 16n, length: 32 };
  const manual = config([{ ...alice, manual: "/m" }]).client;
  const agreed = config([alice]).client;
  const [first] = peerChanges({ from: agreed, to: manual }, secrets(key, "40".repeat(12)));
  assert.deepEqual(
    [first?.presharedKey, first?.manualKey, first?.newerThan],
    ["none", key, "40".repeat(12)],
  );
  const [back] = peerChanges({ from: manual, to: agreed }, secrets(undefined));
  assert.deepEqual([back?.presharedKey, back?.manualKey], ["none", "none"]);
  assert.throws(
    () => config([{ ...alice, manual: "/m", psk: "/p" }]),
    /preshared_key_file or manual_key_file for "Alice", not both/,
  );
});

Deno.test("hub: announcements are remembered across a restart, and a damaged file is no empty one", async () => {
  const root = await Deno.makeTempDir();
  const folder = `${root}/manual`;
  const alice = parsePublicKey(ALICE);
  const { client } = config([{
    ...{ name: "Alice", key: ALICE, addresses: ["10.77.0.2"], networks: [], manual: "/m" },
  }]);
  const said: string[] = [];
  const open = (clients = client) => {
    const announced = new Announced(folder, (line) => said.push(line));
    announced.prepare(clients);
    return announced;
  };
  try {
    open([]);
    await assert.rejects(Deno.stat(folder), "nobody needs it");
    {
      using announced = open();
      assert.equal(announced.newerThan(alice), undefined);
      announced.take(alice, "40".repeat(12));
      announced.take(alice, "41".repeat(12));
    }
    assert.equal(open().newerThan(alice), "41".repeat(12));
    const { mode } = await Deno.stat(`${folder}/announced.json`);
    assert.equal((mode ?? 0) & 0o777, 0o600);
    const bad = ["", "{", "[]", `{"${ALICE}": 7}`, `{"${ALICE}": "zz"}`];
    for (const text of bad) {
      await Deno.writeTextFile(`${folder}/announced.json`, text);
      assert.throws(() => open(), /announced\.json: it is damaged; .*take it away once/, text);
    }
    await Deno.remove(folder, { recursive: true });
    await Deno.writeTextFile(folder, "");
    assert.throws(() => open(), /Cannot (use manual_state|read) /);
    assert.deepEqual(said, []);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("hub: key files: what wg writes is read, anything else is refused with its reason", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/key`;
  const write = (text: string, mode = 0o600) => {
    Deno.writeTextFileSync(path, text);
    Deno.chmodSync(path, mode);
  };
  const into = new Uint8Array(32);
  try {
    for (let round = 0; round < 50; round++) {
      const key = crypto.getRandomValues(new Uint8Array(32));
      write(`${key.toBase64()}\n`);
      readKeyFile(path, into);
      assert.deepEqual(into, key);
    }
    assert.throws(() => readKeyFile(`${folder}/none`, into), /it is not there/);
    assert.throws(() => readKeyFile(folder, into), /not a file|others may read/);
    write(`${ALICE}\n`, 0o640);
    assert.throws(() => readKeyFile(path, into), /others may read it/);
    const bad = [
      "",
      ALICE.slice(1),
      `${ALICE}x`,
      ALICE.replace("A=", "B="),
      ALICE.replace("A", "-"),
    ];
    for (const text of bad) {
      write(text);
      assert.throws(() => readKeyFile(path, into), /it holds something else/, text);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

function read(text: string): HubConfig {
  return parseConfig(text, { name: "hub.toml", schema: HubConfigSchema });
}

function secrets(key: NativeKey | undefined, newerThan?: string): ClientSecrets {
  return { of: () => key, newerThan: () => newerThan };
}

interface Sketch {
  name: string;
  key: string;
  addresses: string[];
  networks: string[];
  endpoint?: string;
  psk?: string;
  manual?: string;
}

function config(clients: Sketch[]): HubConfig {
  const blocks = clients.map((one) =>
    `[[client]]\nname = "${one.name}"\npublic_key = "${one.key}"
    addresses = ${JSON.stringify(one.addresses)}\nnetworks = ${JSON.stringify(one.networks)}
    ${one.psk === undefined ? "" : `preshared_key_file = "${one.psk}"`}
    ${one.manual === undefined ? "" : `manual_key_file = "${one.manual}"`}
    ${one.endpoint === undefined ? "" : `endpoint = "${one.endpoint}"`}\n`
  );
  return read(HEAD + blocks.join(""));
}
