import assert from "node:assert/strict";
import { parse } from "smol-toml";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import * as v from "valibot";
import type { RunResult } from "../lab/machine.ts";
import { labTest } from "../lab/needs.ts";
import { ReaderLab } from "./reader_lab.ts";
import { ALICE, type Token, tokenIn } from "./token_command.ts";

const PIN = { input: "123456\n" };

labTest("a station issues, shows, exports and imports", async () => {
  await using lab = await ReaderLab.open();
  const dir = lab.lab.dir;
  const token = tokenIn(lab);
  await lab.startService();
  await lab.startCard();

  const list = JSON.parse((await token(["list", "--json"])).stdout);
  assert.equal(list[0].kind, "PIV");
  assert.equal(list[1].card, "absent");
  assert.equal((await shown(token)).profile.fault, "none-on-card");

  const issuer = (await token(["issuer-key", "--out", `${dir}/issuer`])).stdout.trim();
  assert.match(issuer, /^[A-Za-z0-9_-]{43}$/);
  assert.equal((Deno.statSync(`${dir}/issuer`).mode ?? 0) & 0o777, 0o600);
  assert.equal((await token(["issuer-key", "--show", `${dir}/issuer`])).stdout.trim(), issuer);
  await lab.machine.sh(`openssl genpkey -algorithm ed25519 -out ${dir}/issuer.pem`);
  const pem = (await token(["issuer-key", "--show", `${dir}/issuer.pem`])).stdout.trim();
  assert.notEqual(pem, issuer);

  await Deno.writeTextFile(`${dir}/alice.toml`, ALICE);
  const backup = await generateX25519Identity();
  await token([
    ...["issue", "--issuer", `${dir}/issuer`, "--from", `${dir}/alice.toml`, "--mtu", "1380"],
    ...["--psk", "--peer-out", `${dir}/peer.toml`],
    ...["--recovery", await identityToRecipient(backup)],
  ]);
  const peer = parse(Deno.readTextFileSync(`${dir}/peer.toml`));
  const { client: [client] } = v.parse(PeerSchema, peer);
  assert.deepEqual(client.addresses, ["10.77.0.2/32", "fd77::2/128"]);
  assert.deepEqual(client.networks, ["10.9.0.0/16"]);
  const psk = Deno.readTextFileSync(client.preshared_key_file).trim();

  const before = await shown(token, ["--trust", issuer]);
  assert.equal(before.profile.holder, "Alice Example");
  assert.equal(before.profile.expiresAt, "2030-01-02T00:00:00.000Z");
  assert.equal(before.profile.issuerTrusted, true);
  assert.equal(before.profile.settings, undefined);
  assert.equal((await shown(token, ["--trust", pem])).profile.fault, "forged");

  const after = await token(["show", "--json", "--pin-stdin", "--trust", issuer], PIN);
  const { settings } = JSON.parse(after.stdout).profile;
  assert.equal(settings.tunnel.mtu, 1380);
  assert.equal(settings.identity.publicKey, client.public_key);

  await token(["export", "--pin-stdin", "--out", `${dir}/alice.conf`], PIN);
  const conf = Deno.readTextFileSync(`${dir}/alice.conf`);
  assert.ok(conf.includes(`PresharedKey = ${psk}\n`));
  const privateKey = /^PrivateKey = (.*)$/m.exec(conf)?.[1] ?? "";
  const pubkey = await lab.machine.run(["wg", "pubkey"], { input: `${privateKey}\n` });
  assert.equal(pubkey.stdout.trim(), client.public_key);
  // No word of what show or issue printed is a key.
  assert.ok(![before, after.stdout].some((said) => JSON.stringify(said).includes(privateKey)));

  await token(["import", `${dir}/alice.conf`, "--issuer", `${dir}/issuer`, "--client-id", "a2"]);
  const again = await token(["export", "--pin-stdin"], PIN);
  assert.equal(again.stdout.trim(), conf.trim());
  const imported = await shown(token, ["--trust", issuer]);
  assert.ok(imported.profile.generation > before.profile.generation);

  // The key that both sides hold is now used by hand: the hub is told so, and a stock file can't say it.
  const edit = ["edit", "--issuer", `${dir}/issuer`, "--pin-stdin", "--suite"];
  const manual = [...edit, "wireguard-manual-1", "--peer-out", `${dir}/manual.toml`];
  const summary = await token(manual, PIN);
  assert.match(summary.stdout, /^manual key: yes$/m);
  assert.match(summary.stdout, /^suite: wireguard-manual-1$/m);
  const told = Deno.readTextFileSync(`${dir}/manual.toml`);
  assert.ok(told.includes(`manual_key_file = "${dir}/manual.toml.psk"`), told);
  assert.equal(Deno.readTextFileSync(`${dir}/manual.toml.psk`).trim(), psk);
  assert.ok(!summary.stdout.includes(psk), "the summary shows no secret");
  const settled = JSON.parse((await token(["show", "--json", "--pin-stdin"], PIN)).stdout);
  assert.equal(settled.profile.settings.suite, "wireguard-manual-1");
  const stock = await token(["export", "--pin-stdin"], { ...PIN, code: 1 });
  assert.match(stock.stderr, /^Cannot export the profile: a wg-quick file can't say wireguard-man/);
  const odd = await token([...edit, "ipsec"], { ...PIN, code: 2 });
  assert.match(odd.stderr, /suite: expected wireguard-1 or wireguard-manual-1/);
  const keyless = await token([...edit, "wireguard-manual-1", "--no-psk"], { ...PIN, code: 2 });
  assert.match(keyless.stderr, /wireguard-manual-1 needs a key that both sides hold/);
});

labTest("the backup of a password opens with the stock age tool", async () => {
  await using lab = await ReaderLab.open();
  const dir = lab.lab.dir;
  const token = tokenIn(lab);
  await lab.startService();
  await lab.startCard();
  await token(["issuer-key", "--out", `${dir}/issuer`]);
  await Deno.writeTextFile(`${dir}/alice.toml`, ALICE);
  await Deno.writeTextFile(`${dir}/password`, "correct horse\n");
  await token([
    ...["issue", "--issuer", `${dir}/issuer`, "--from", `${dir}/alice.toml`],
    ...["--backup-out", `${dir}/backup.age`, "--backup-password-file", `${dir}/password`],
  ]);
  // age asks for a password on a terminal only: script(1) is one, and keeps what is typed ahead.
  const opened = await lab.machine.run([
    "bash",
    "-c",
    `printf 'correct horse\\n' | script -qec 'age -d -o ${dir}/opened ${dir}/backup.age' /dev/null`,
  ]);
  const plaintext = Deno.readFileSync(`${dir}/opened`);
  assert.equal(new TextDecoder().decode(plaintext.subarray(0, 4)), "SKSO", opened.stdout);
});

labTest("a key that was made on the card is named, reused and never exported", async () => {
  await using lab = await ReaderLab.open();
  const dir = lab.lab.dir;
  const token = tokenIn(lab);
  await lab.startService();
  await lab.startCard();
  await token(["issuer-key", "--out", `${dir}/issuer`]);
  await Deno.writeTextFile(`${dir}/alice.toml`, ALICE);
  const issue = ["issue", "--issuer", `${dir}/issuer`, "--from", `${dir}/alice.toml`];
  const keyOf = ({ stdout }: RunResult) => /client public key: (.*)/.exec(stdout)?.[1];
  const first = keyOf(await token([...issue, "--identity", "on-card"]));
  assert.equal(keyOf(await token([...issue, "--identity", "on-card"])), first);
  assert.notEqual(keyOf(await token([...issue, "--identity", "on-card", "--new-key"])), first);
  const refused = await token(["export", "--pin-stdin"], { ...PIN, code: 1 });
  assert.match(refused.stderr, /^Cannot export the profile: .*never leaves it/m);
  const clash = [...issue, "--identity", "on-card", "--key-slot", "9d"];
  await token(clash, { code: 2 });
  const manual = [...issue, "--identity", "on-card", "--suite", "wireguard-manual-1"];
  const unasked = await token([...manual, "--peer-out", `${dir}/p.toml`], { code: 2 });
  assert.match(unasked.stderr, /needs --identity sealed: a card is not asked/);
  const untold = await token([...issue, "--suite", "wireguard-manual-1"], { code: 2 });
  assert.match(untold.stderr, /Cannot make a manual key: the hub needs it too/);
});

labTest("wrong PIN, new PIN, blocked PIN, PUK", async () => {
  await using lab = await ReaderLab.open();
  const token = tokenIn(lab);
  await lab.startService();
  await lab.startCard();
  const change = ["change-pin", "--pin-stdin"];
  const wrong = await token(change, { input: "000000\n654321\n", code: 1 });
  assert.equal(wrong.stderr, "Cannot use the card: wrong PIN; 2 tries left\n");
  await token(change, { input: "123456\n12\n", code: 1 });
  await token(change, { input: "123456\n654321\n" });
  for (let i = 0; i < 3; i++) await token(change, { input: "123456\n111111\n", code: 1 });
  assert.equal((await shown(token)).pin.state, "blocked");
  const blocked = await token(change, { input: "654321\n111111\n", code: 1 });
  assert.match(blocked.stderr, /blocked; use token unblock/);
  const unblock = ["unblock", "--pin-stdin"];
  const puk = await token(unblock, { input: "00000000\n111111\n", code: 1 });
  assert.match(puk.stderr, /wrong PUK; 2 tries left/);
  await token(unblock, { input: "12345678\n111111\n" });
  assert.deepEqual((await shown(token)).pin, { state: "locked", triesLeft: 3 });
});

labTest("wrong usage is 2, what can't be done is 1, each with one line", async () => {
  await using lab = await ReaderLab.open();
  const dir = lab.lab.dir;
  const token = tokenIn(lab);
  const line = async (args: string[], code: number, input = "") => {
    const { stderr } = await token(args, { input, code });
    assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
    return stderr;
  };
  assert.match(await line(["list"], 1), /pcscd does not answer; start it/);
  await lab.startService();
  assert.match(await line(["show"], 1), /Cannot find a card: insert it/);
  await lab.startCard();
  assert.match(await line(["nothing"], 2), /no such command/);
  assert.match(await line(["list", "--colour"], 2), /Unknown option '--colour'/);
  assert.match(await line(["list", "extra"], 2), /extra is unexpected/);
  assert.match(await line(["issuer-key"], 2), /--out FILE or --show FILE/);
  assert.match(await line(["issue", "--client-id", "a"], 2), /--issuer FILE is missing/);
  assert.match(await line(["import"], 2), /FILE.conf is missing/);
  assert.match(await line(["import", `${dir}/none`], 1), /it is not there; check the path/);
  assert.match(await line(["show", "--reader", "other"], 1), /token list shows those/);
  assert.match(await line(["show", "--pin-stdin"], 1, ""), /PIN: the line is missing/);
  assert.match(await line(["export"], 2), /use --pin-stdin or --pin-file/);

  await token(["issuer-key", "--out", `${dir}/issuer`]);
  const issue = ["issue", "--issuer", `${dir}/issuer`, "--from", `${dir}/wrong.toml`];
  await Deno.writeTextFile(`${dir}/alice.toml`, ALICE);
  const alice = ["issue", "--issuer", `${dir}/issuer`, "--from", `${dir}/alice.toml`];
  assert.match(await line([...alice, "--recovery", "age1xyz"], 2), /no age recipient/);
  assert.match(await line([...alice, "--peer-out", `${dir}/issuer`], 1), /there already/);
  const wrong: [string, RegExp][] = [
    ["client_id = ", /line 1: it is no TOML/],
    ["client_id = 7", /wrong.toml: client_id: expected text/],
    ['client_id = "a"\ncolour = 1', /wrong.toml: colour: unknown key/],
    ['client_id = "a"\n[tunnel]\naddresses = ["x"]', /tunnel.addresses.0: an address and prefix/],
    ['client_id = "a"\nexpires = "soon"', /expected a date \(2027-12-31\) or days \(90d\)/],
  ];
  for (const [toml, message] of wrong) {
    await Deno.writeTextFile(`${dir}/wrong.toml`, toml);
    assert.match(await line(issue, 2), message);
  }
  for (
    const name of [
      ..."list show issuer-key issue edit renew batch revoke recipient card-key put".split(" "),
      ..."import export change-pin unblock".split(" "),
    ]
  ) {
    const { stdout } = await token([name, "--help"]);
    assert.ok(stdout.startsWith(`Usage: token ${name}`));
  }
});

/** What the hub reads. */
const PeerSchema = v.strictObject({
  client: v.strictTuple([v.strictObject({
    name: v.literal("alice"),
    public_key: v.string(),
    preshared_key_file: v.string(),
    addresses: v.array(v.string()),
    networks: v.array(v.string()),
    token: v.strictObject({ card: v.string(), profile: v.string(), generation: v.number() }),
  })]),
});

// deno-lint-ignore no-explicit-any
async function shown(token: Token, args: string[] = []): Promise<any> {
  return JSON.parse((await token(["show", "--json", ...args])).stdout);
}
