import assert from "node:assert/strict";
import fc from "fast-check";
import { formatWgQuick, parseWgQuick, type WgQuick } from "./wg_quick.ts";
import { makeWireGuardKey, wireGuardPublicKey } from "./wireguard_key.ts";

const key = () => makeWireGuardKey().privateKey.toBase64();

const config: WgQuick = {
  privateKey: key(),
  addresses: ["10.77.0.2/32", "fd77::2/128"],
  dns: ["10.9.0.53", "fd09::53"],
  mtu: 1420,
  serverKey: key(),
  presharedKey: key(),
  endpoint: "[2001:db8::1]:51820",
  allowedIps: ["10.9.0.0/16", "fd09::/32"],
  persistentKeepalive: 25,
};

Deno.test("what is written reads the same, with and without the optional parts", () => {
  assert.deepEqual(parseWgQuick(formatWgQuick(config)), { ok: true, config, warnings: [] });
  const { mtu: _mtu, presharedKey: _psk, persistentKeepalive: _keep, ...bare } = config;
  const small = { ...bare, dns: [], allowedIps: [] };
  assert.deepEqual(parseWgQuick(formatWgQuick(small)), { ok: true, config: small, warnings: [] });
});

Deno.test("people's files: comments, case, several lines, bare addresses", () => {
  const text = `# office
[interface]
privatekey=${config.privateKey}   # mine
Address = 10.77.0.2
Address = fd77::2/64 , 10.78.0.1/24
DNS = 10.9.0.53, office.example.org
PostUp = iptables -A FORWARD
\r
[PEER]
PublicKey = ${config.serverKey}
Endpoint = vpn.example.org:51820
AllowedIPs = 0.0.0.0/0, ::/0
PersistentKeepalive = off`;
  const parsed = parseWgQuick(text);
  assert.ok(parsed.ok);
  assert.deepEqual(parsed.config.addresses, ["10.77.0.2/32", "fd77::2/64", "10.78.0.1/24"]);
  assert.deepEqual(parsed.config.dns, ["10.9.0.53"]);
  assert.equal(parsed.config.persistentKeepalive, 0);
  assert.deepEqual(parsed.warnings, [
    "line 6: DNS search domain office.example.org is left out: a profile names servers only",
    "line 7: PostUp is left out: a profile runs no commands",
  ]);
});

Deno.test("what is wrong is named with its line", () => {
  const problem = (text: string) => {
    const parsed = parseWgQuick(text);
    return parsed.ok ? "" : parsed.problem;
  };
  assert.match(problem(""), /PrivateKey: expected/);
  assert.match(problem("[Interface]\nPrivateKey"), /^line 2: expected Key = Value/);
  assert.match(problem("Address = 10.0.0.1"), /^line 1: /);
  assert.match(problem("[Other]"), /^line 1: expected \[Interface\] or \[Peer\]/);
  const whole = formatWgQuick(config);
  assert.match(problem(`${whole}[Peer]\n`), /^line \d+: .*second peer; choose one of the 2/);
  assert.match(problem(whole.replace("MTU = 1420", "MTU = many")), /MTU/);
  assert.match(problem(whole.replace(/Endpoint = .*/, "")), /Endpoint/);
  assert.match(problem("#".repeat(70_000)), /too large/);
});

Deno.test("of several peers one is chosen, and the others are named", () => {
  const second = key();
  const text = `${formatWgQuick(config)}[Peer]\nPublicKey = ${second}\nEndpoint = b.example:1\n`;
  for (const peer of ["2", second]) {
    const parsed = parseWgQuick(text, { peer });
    assert.ok(parsed.ok);
    assert.equal(parsed.config.serverKey, second);
    assert.equal(parsed.config.presharedKey, undefined, "nothing of the other peer");
    assert.match(parsed.warnings.join(), new RegExp(`^line 7: peer .{44} is left out`));
  }
  assert.equal(parseWgQuick(text, { peer: "3" }).ok, false);
  assert.equal(parseWgQuick(text, { peer: key() }).ok, false);
});

const base64Key = fc.uint8Array({ minLength: 32, maxLength: 32 })
  .filter((bytes) => bytes.some((byte) => byte !== 0)).map((bytes) => bytes.toBase64());
const v4 = fc.ipV4();
const v6 = fc.ipV6().filter((address) => !address.includes("."));
const cidr = fc.oneof(
  fc.tuple(v4, fc.integer({ min: 0, max: 32 })),
  fc.tuple(v6, fc.integer({ min: 0, max: 128 })),
).map(([address, length]) => `${address}/${length}`);
const host = fc.oneof(v4, v6.map((address) => `[${address}]`), fc.domain());
const anyConfig: fc.Arbitrary<WgQuick> = fc.record({
  privateKey: base64Key,
  addresses: fc.array(cidr, { minLength: 1, maxLength: 4 }),
  dns: fc.array(fc.oneof(v4, v6), { maxLength: 3 }),
  mtu: fc.integer({ min: 576, max: 65_535 }),
  serverKey: base64Key,
  presharedKey: base64Key,
  endpoint: fc.tuple(host, fc.integer({ min: 1, max: 65_535 })).map(([name, port]) =>
    `${name}:${port}`
  ),
  allowedIps: fc.array(cidr, { maxLength: 5 }),
  persistentKeepalive: fc.integer({ min: 0, max: 65_535 }),
}, {
  requiredKeys: [
    ...["privateKey", "addresses", "dns", "serverKey", "endpoint", "allowedIps"] as const,
  ],
});

/** What wg-quick knows and a profile can't say. */
const FOREIGN = [
  ...[
    "ListenPort = 51820",
    "FwMark = 0xca6c",
    "Table = off",
    "PreUp = ip rule add",
    "SaveConfig = true",
  ],
  ...["PostUp = nft -f /etc/x", "PreDown = true", "PostDown = echo bye", "Colour = blue"],
];

Deno.test("every config comes back, and so it does from however people write it", () => {
  fc.assert(
    fc.property(
      anyConfig,
      fc.subarray(FOREIGN),
      fc.infiniteStream(fc.nat({ max: 5 })),
      (made, foreign, choices) => {
        const config = { ...made };
        const plain = formatWgQuick(config);
        assert.deepEqual(parseWgQuick(plain), { ok: true, config, warnings: [] });
        const parsed = parseWgQuick(asPeopleWrite(plain, { foreign, choices }));
        assert.ok(parsed.ok);
        assert.deepEqual(parsed.config, config);
        assert.equal(parsed.warnings.length, foreign.length);
        for (const line of foreign) {
          const name = line.split(" ")[0];
          assert.ok(parsed.warnings.some((warning) => warning.includes(`${name} is left out: `)));
        }
      },
    ),
    { numRuns: 300 },
  );
});

/** The same words with other spaces, comments, line ends, lists over several lines, foreign keys. */
function asPeopleWrite(
  text: string,
  { foreign, choices }: { foreign: readonly string[]; choices: fc.Stream<number> },
): string {
  const choose = () => choices.next().value ?? 0;
  const end = choose() % 2 === 0 ? "\n" : "\r\n";
  const lines = text.split("\n").flatMap((line) => {
    const [, name = "", value = ""] = /^(\w+) = (.*)$/.exec(line) ?? [];
    if (name === "") return [line, ...(line === "[Interface]" ? foreign : []), "# a remark"];
    const isList = /^(Address|DNS|AllowedIPs)$/.test(name) && choose() > 2;
    const values = isList ? value.split(", ") : [value];
    const spelled = choose() === 1
      ? name.toUpperCase()
      : choose() === 2
      ? name.toLowerCase()
      : name;
    return values.map((one) => {
      const gap = " ".repeat(choose());
      return `${gap}${spelled}${gap}=${gap}${one}${choose() === 0 ? "  # why" : ""}`;
    });
  });
  return lines.join(end);
}

Deno.test("the stock wg-quick reads what is written", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${dir}/office.conf`, formatWgQuick(config), { mode: 0o600 });
    const { success, stdout, stderr } = await new Deno.Command("wg-quick", {
      args: ["strip", `${dir}/office.conf`],
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    const stripped = new TextDecoder().decode(stdout);
    for (
      const value of [config.privateKey, config.serverKey, config.presharedKey, config.endpoint]
    ) {
      assert.ok(stripped.includes(` = ${value}\n`));
    }
    assert.doesNotMatch(stripped, /Address|DNS|MTU/, "it knew which lines are its own");
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("whatever text comes, it is a result", () => {
  fc.assert(fc.property(fc.string({ maxLength: 500 }), (text) => {
    assert.equal(typeof parseWgQuick(text).ok, "boolean");
  }));
});

Deno.test("key pairs are those of wg", async () => {
  for (let i = 0; i < 3; i++) {
    const pair = makeWireGuardKey();
    const child = new Deno.Command("wg", { args: ["pubkey"], stdin: "piped", stdout: "piped" })
      .spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(pair.privateKey.toBase64() + "\n"));
    await writer.close();
    const { stdout } = await child.output();
    assert.equal(new TextDecoder().decode(stdout).trim(), pair.publicKey);
    assert.equal(wireGuardPublicKey(pair.privateKey), pair.publicKey);
  }
});
