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
    "DNS search domain office.example.org is left out",
    "postup is left out",
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
  assert.match(problem(`${whole}[Peer]\n`), /second peer/);
  assert.match(problem(whole.replace("MTU = 1420", "MTU = many")), /MTU/);
  assert.match(problem(whole.replace(/Endpoint = .*/, "")), /Endpoint/);
  assert.match(problem("#".repeat(70_000)), /too large/);
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
