import assert from "node:assert/strict";
import { makeIssuer } from "../tests/token/sample.ts";
import { parseConfig } from "../os/config.ts";
import { type Revocation, signRevocations } from "../token/profile/revocations.ts";
import { type HubConfig, HubConfigSchema } from "./hub_config.ts";
import { HubTokens } from "./hub_tokens.ts";

const issuer = await makeIssuer();
const key = (byte: number) => new Uint8Array(32).fill(byte).toBase64();
const client = (name: string, byte: number, token = "") => `
[[client]]
name = "${name}"
public_key = "${key(byte)}"
addresses = ["10.77.0.${byte}"]
networks = []
${token}`;
const parse = (text: string): HubConfig =>
  parseConfig(`private_key_file = "/k"\naddresses = ["10.77.0.1/24"]\n${text}`, {
    name: "hub.toml",
    schema: HubConfigSchema,
  });

Deno.test("hub config: tokens, lists and shares arrive, and each fault is one line", () => {
  const config = parse(`
[token]
issuers = ["${issuer.publicKey}"]
revocations = ["/etc/revoked.jws"]
[shares]
listen = "[::]:51821"
private_key_file = "/etc/shares.key"
folder = "/var/shares"
${client("alice", 2, 'token = { card = "c1", profile = "p1", generation = 7 }')}`);
  assert.deepEqual(config.token.issuers, [issuer.publicKey]);
  assert.deepEqual(config.shares?.listen, { hostname: "::", port: 51821 });
  assert.deepEqual(config.client[0]?.token, { card: "c1", profile: "p1", generation: 7 });
  assert.deepEqual(parse("").token.revocations, []);
  const shares = (listen: string) =>
    `[shares]\nlisten = "${listen}"\nprivate_key_file = "/k"\nfolder = "/f"`;
  const faults: [string, RegExp][] = [
    [`[token]\nissuers = ["AAAA"]`, /^Cannot use hub.toml: token.issuers\[1\]: expected an issuer/],
    [`[token]\nrevocations = ["here"]`, /token.revocations\[1\]: expected an absolute path/],
    [shares("hub.example:1"), /shares.listen: expected an address and port/],
    [shares("10.0.0.1:99999"), /shares.listen: expected an address and port/],
    [`[shares]\nlisten = "10.0.0.1:1"`, /shares.private_key_file is missing/],
    [client("a", 2, 'token = { card = "c" }'), /client\[1\].token.profile is missing/],
  ];
  for (const [text, message] of faults) {
    assert.throws(() => parse(text), (error: Error) => {
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("a hub admits nobody whose profile was taken back, and says it once", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const path = `${dir}/revoked.jws`;
    let number = 0;
    const list = async (entries: readonly Revocation[]) => {
      const bytes = await signRevocations({ number: ++number, issuedAt: 1, entries }, issuer);
      await Deno.writeFile(`${path}.new`, bytes);
      await Deno.rename(`${path}.new`, path);
    };
    const text = (more = "") => `
[token]
issuers = ["${issuer.publicKey}"]
revocations = ["${path}"]
state = "${dir}/kept"
${more}
${client("alice", 2, 'token = { card = "c1", profile = "p1", generation = 7 }')}
${client("bob", 3)}`;
    const config = parse(text());
    await assert.rejects(HubTokens.open(config, { say: () => {} }), /it is not there/);
    await list([]);
    const said: string[] = [];
    using tokens = await HubTokens.open(config, { say: (line) => said.push(line) });
    const names = () => tokens.admitted(config).client.map(({ name }) => name);
    assert.deepEqual(names(), ["alice", "bob"]);
    assert.equal(await tokens.look(), false);

    await list([{ at: 1, reason: "lost", card: "c1", upTo: 7 }]);
    assert.equal(await tokens.look(), true);
    assert.deepEqual(names(), ["bob"], "and who has no token on file stays");
    assert.deepEqual(names(), ["bob"]);
    assert.deepEqual(said, ["Hub: alice is out: its profile was taken back (lost)"]);
    assert.deepEqual(tokens.status(config).revoked, ["alice"]);
    const anew = parse(text().replace("generation = 7", "generation = 8"));
    assert.equal(tokens.admitted(anew).client.length, 2, "issued anew");

    await Deno.writeTextFile(path, "garbage");
    assert.equal(await tokens.look(), false);
    assert.match(said.at(-1) ?? "", /it is damaged; put the newest list there/);
    assert.deepEqual(names(), ["bob"]);
    await list([]);
    assert.equal(await tokens.look(), true);
    assert.deepEqual(names(), ["alice", "bob"]);

    const other = parse(
      text(`[shares]\nlisten = "127.0.0.1:1"\nprivate_key_file = "/k"\nfolder = "/f"`),
    );
    await assert.rejects(tokens.reload(other), /\[shares\] has changed; restart the hub/);
    await tokens.reload(parse(text()));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
