/** The issuing station: what changes a profile, who may, and who can open it afterwards. */
import assert from "node:assert/strict";
import { sha256 } from "@noble/hashes/sha2.js";
import { Decrypter } from "age-encryption";
import * as v from "valibot";
import { loadConfig } from "../../os/config.ts";
import { parseIssuerKey } from "../../token/profile/jws.ts";
import { readShareRecord } from "../../token/profile/share_record.ts";
import { sleep } from "../lab/machine.ts";
import { startSoftcard } from "../lab/pcscd.ts";
import { labTest } from "../lab/needs.ts";
import { openContainer } from "../../token/profile/container.ts";
import { prfIdentity, prfStanza } from "../../token/profile/fido2prf.ts";
import { formatPasskey, passkeyNonce } from "../../token/profile/passkeys.ts";
import { readContainer, readFileKey } from "../story/card_image.ts";
import { ReaderLab } from "./reader_lab.ts";
import { ALICE, type Token, tokenIn } from "./token_command.ts";

const PIN = { input: "123456\n" };

labTest("a station edits and renews: settings change, keys stay, generations rise", async () => {
  await using lab = await ReaderLab.open();
  const { dir, token } = await station(lab);
  const issued = await json(token, ["issue", ...files(dir), "--psk", "--peer-out", `${dir}/peer`]);
  assert.match(issued.recipients.join(), /^card \(card\)$/);
  assert.equal(issued.presharedKey, true);
  const before = await exported(token);

  const change = ["edit", "--issuer", `${dir}/issuer`, "--pin-stdin"];
  const inbound = ["tcp/8080@10.8.0.0/16", "icmp@10.8.0.0/16"];
  const edited = await json(token, [
    ...[...change, "--network", "10.8.0.0/16", "--mtu", "1300"],
    ...inbound.flatMap((rule) => ["--inbound", rule]),
  ], PIN);
  assert.deepEqual([issued.inbound, edited.inbound], [[], inbound]);
  assert.deepEqual(edited.networks, ["10.8.0.0/16"]);
  assert.deepEqual([edited.profile, edited.holder], [issued.profile, "Alice Example"]);
  assert.equal(edited.expires, "2030-01-02T00:00:00.000Z", "what isn't named stays");
  assert.equal(edited.clientPublicKey, issued.clientPublicKey);
  assert.ok(edited.generation > issued.generation);
  const after = await exported(token);
  assert.equal(keyIn(after), keyIn(before));
  assert.equal(pskIn(after), pskIn(before));
  assert.match(after, /^MTU = 1300$/m);

  const renewed = await json(
    token,
    ["renew", "--issuer", `${dir}/issuer`, "--pin-stdin", "--expires", "2031-05-05"],
    PIN,
  );
  assert.equal(renewed.expires, "2031-05-05T00:00:00.000Z");
  assert.deepEqual(renewed.networks, ["10.8.0.0/16"]);
  assert.ok(renewed.generation > edited.generation);

  const anew = await json(token, [...change, "--new-keys", "--peer-out", `${dir}/peer2`], PIN);
  assert.notEqual(anew.clientPublicKey, issued.clientPublicKey);
  assert.notEqual(keyIn(await exported(token)), keyIn(before));
  assert.ok(Deno.readTextFileSync(`${dir}/peer2`).includes(anew.clientPublicKey));
  const peer = await loadConfig(`${dir}/peer2`, v.object({ client: v.array(v.unknown()) }));
  assert.partialDeepStrictEqual(peer.client, [{ inbound }], "the hub is told the same");
  assert.ok(!Deno.readTextFileSync(`${dir}/peer`).includes("inbound"));

  // An expired one is refused by gateways, and renewed by its issuer.
  const past = await token([...change, "--expires", "2001-01-01"], PIN);
  assert.match(past.stderr, /^warning: the profile has expired already/m);
  assert.equal((await shown(token)).profile.expired, true);
  await token(["renew", "--issuer", `${dir}/issuer`, "--pin-stdin", "--expires", "30d"], PIN);
  assert.equal((await shown(token)).profile.expired, false);
});

labTest("only the issuer's key changes a profile, and a wrong PIN changes nothing", async () => {
  await using lab = await ReaderLab.open();
  const { dir, token } = await station(lab);
  const issued = await json(token, ["issue", ...files(dir)]);
  const stranger = (await token(["issuer-key", "--out", `${dir}/stranger`])).stdout.trim();
  assert.notEqual(stranger, issued.issuer);
  const edit = (issuer: string) => ["edit", "--issuer", issuer, "--pin-stdin", "--mtu", "1300"];
  const foreign = await token(edit(`${dir}/stranger`), { ...PIN, code: 1 });
  assert.match(foreign.stderr, /^Cannot change the profile: only its issuer can, /);
  assert.ok(foreign.stderr.includes(issued.issuer));
  const wrong = await token(edit(`${dir}/issuer`), { input: "000000\n", code: 1 });
  assert.equal(wrong.stderr.trim(), "Cannot use the card: wrong PIN; 2 tries left");
  const bad = await token([...edit(`${dir}/issuer`), "--network", "10.0.0.0/99"], {
    ...PIN,
    code: 2,
  });
  assert.match(bad.stderr, /destinations.networks.0/);
  const badRule = [...edit(`${dir}/issuer`), "--inbound", "tcp/80"];
  assert.match((await token(badRule, { ...PIN, code: 2 })).stderr, /inbound.0: a rule such as /);
  assert.equal((await shown(token)).profile.generation, issued.generation);
  const taken = await token([...edit(`${dir}/issuer`), "--bundle-out", `${dir}/issuer`], {
    ...PIN,
    code: 1,
  });
  assert.match(taken.stderr, /there already/);
  assert.equal((await shown(token)).profile.generation, issued.generation);
});

labTest("recipients come and go, the keys stay, and age opens what it can", async () => {
  await using lab = await ReaderLab.open();
  const { dir, token } = await station(lab);
  const issued = await token(["issue", ...files(dir), "--new-recovery"]);
  const recovery = /^AGE-SECRET-KEY-1\S+$/m.exec(issued.stdout)?.[0] ?? "";
  assert.ok(recovery, issued.stdout);
  const container = () => readContainer(`${dir}/card.state`);
  const before = await exported(token);
  assert.ok(await opens(await container(), recovery), "the recovery identity, printed once");
  const withJson = await token(["issue", ...files(dir), "--new-recovery", "--json"], { code: 2 });
  assert.match(withJson.stderr, /Cannot print a secret within JSON/);

  const change = (verb: string, name: string, ...more: string[]) =>
    token(
      ["recipient", verb, name, "--issuer", `${dir}/issuer`, "--pin-stdin", ...more],
      PIN,
    );
  const own = await lab.machine.sh("age-keygen 2>/dev/null");
  const identity = /AGE-SECRET-KEY-1\S+/.exec(own)?.[0] ?? "";
  const recipient = /public key: (age1\S+)/.exec(own)?.[1] ?? "";
  await change("add", "office", "--age", recipient);
  await Deno.writeTextFile(`${dir}/password`, "correct horse\n");
  await change(
    ...["add", "at home", "--password-file", `${dir}/password`] as const,
    ...["--identity-out", `${dir}/home.age`],
  );
  const list = JSON.parse(
    (await token(["recipient", "list", "--json", "--pin-stdin"], PIN)).stdout,
  );
  assert.deepEqual(
    list.map((one: { kind: string; name: string }) => [one.kind, one.name]),
    [["card", "card"], ["recovery", "recovery"], ["x25519", "office"], ["password", "at home"]],
  );
  const kinds = JSON.parse((await token(["recipient", "list", "--json"])).stdout);
  assert.deepEqual(
    kinds.map((one: { kind: string }) => one.kind).filter((kind: string) => !/grease/.test(kind)),
    ["piv-p256", "X25519", "X25519", "X25519"],
  );

  const former = await container();
  await Deno.writeFile(`${dir}/sealed.age`, former);
  await Deno.writeTextFile(`${dir}/own`, own, { mode: 0o600 });
  const stock = await lab.machine.run(["age", "-d", "-i", `${dir}/own`, `${dir}/sealed.age`]);
  assert.equal(stock.code, 0, stock.stderr);
  assert.equal(await stockPassword(lab, { dir, identity: "home.age" }), "SKSO");
  // The station itself opens with such a file instead of the PIN.
  await token([
    ...["renew", "--issuer", `${dir}/issuer`, "--identity-file", `${dir}/home.age`],
    ...["--identity-password-file", `${dir}/password`],
  ]);
  await Deno.writeTextFile(`${dir}/password`, "wrong horse\n");
  const wrong = await token([
    ...["renew", "--issuer", `${dir}/issuer`, "--identity-file", `${dir}/home.age`],
    ...["--identity-password-file", `${dir}/password`],
  ], { code: 1 });
  assert.match(wrong.stderr, /wrong password; try again/);

  await passkeysOf({ dir, token, recovery });
  const removed = await change("remove", "office");
  assert.match(removed.stderr, /can still open that copy/);
  assert.ok(!await opens(await container(), identity), "removed");
  assert.ok(await opens(former, identity), "a copy of before, as the note says");
  assert.ok(await opens(await container(), recovery), "the others stay");
  assert.equal(await exported(token), before, "no key and no setting has changed");
  await token(
    ["recipient", "remove", "card", "--issuer", `${dir}/issuer`, "--pin-stdin"],
    { ...PIN, code: 1 },
  );
  await token(
    [
      "recipient",
      "add",
      "recovery",
      "--age",
      recipient,
      "--issuer",
      `${dir}/issuer`,
      "--pin-stdin",
    ],
    { ...PIN, code: 1 },
  );
});

labTest("a second card opens the same profile, and is put right by a file", async () => {
  await using lab = await ReaderLab.open();
  const { dir, token } = await station(lab);
  const issued = await json(token, ["issue", ...files(dir)]);
  const first = await exported(token);
  const second = await startSoftcard(lab.machine, {
    state: `${dir}/second.state`,
    port: 35964,
    pin: "654321",
  });
  await token(["card-key", "--out", `${dir}/second.card`, ...at("1")]);
  const add = [
    ...["recipient", "add", "spare", "--card", `${dir}/second.card`],
    ...["--issuer", `${dir}/issuer`, "--pin-stdin", ...at("0")],
  ];
  const warned = await token(add, PIN);
  assert.match(warned.stderr, /keeps the former profile until it gets this one/);
  const edit = ["edit", "--mtu", "1380", "--issuer", `${dir}/issuer`, "--pin-stdin", ...at("0")];
  await token([...edit, "--bundle-out", `${dir}/profile`], PIN);

  const trust = ["--trust", issued.issuer];
  const put = await token(["put", `${dir}/profile`, ...trust, ...at("1")]);
  assert.match(put.stdout, /^Wrote profile .* for Alice Example to the card /);
  const other = await token(["export", "--pin-stdin", ...trust, ...at("1")], { input: "654321\n" });
  assert.equal(keyIn(other.stdout), keyIn(first));
  assert.match(other.stdout, /^MTU = 1380$/m);

  // Older, forged, damaged and somebody else's files are told apart, and change nothing.
  await token([...edit, "--bundle-out", `${dir}/newer`], PIN);
  await token(["put", `${dir}/newer`, ...trust, ...at("1")]);
  const refused = async (path: string, message: RegExp, issuer = issued.issuer, slot = "1") => {
    const { stderr } = await token(["put", path, "--trust", issuer, ...at(slot)], { code: 1 });
    assert.match(stderr, message);
  };
  await refused(`${dir}/profile`, /a newer one was issued since/);
  const stranger = (await token(["issuer-key", "--out", `${dir}/stranger`])).stdout.trim();
  await refused(`${dir}/newer`, /not by a trusted issuer/, stranger);
  await refused(`${dir}/second.card`, /it is damaged, or no profile/);
  const third = await startSoftcard(lab.machine, {
    state: `${dir}/third.state`,
    port: 35964,
    removed: true,
  });
  await second.remove();
  await third.insert();
  await refused(`${dir}/newer`, /it belongs to another card/);
  await third.stop();
  await second.stop();
});

labTest("what was taken back is on a signed list that only its issuer writes", async () => {
  await using lab = await ReaderLab.open();
  const { dir, token } = await station(lab);
  const issued = await json(token, ["issue", ...files(dir)]);
  const revoke = ["revoke", "--issuer", `${dir}/issuer`, "--list", `${dir}/revoked.jws`];
  assert.match((await token(revoke, { code: 1 })).stderr, /it is not there/);
  const first = await json(token, [...revoke, "--profile", issued.profile, "--reason", "left"]);
  assert.deepEqual(first.entries.length, 1);
  await sleep(1000 - Date.now() % 1000); // a second begins, and most of it is left at the end
  const second = await json(token, [...revoke, "--this-card", "--reason", "lost"]);
  const next = Math.floor(Date.now() / 1000);
  assert.ok(next > second.entries[1].upTo, "whatever is issued next is none of those");
  assert.deepEqual(
    second.entries.map((one: { reason: string }) => one.reason),
    ["left", "lost"],
  );
  assert.ok(second.number > first.number);
  assert.ok(second.entries[1].upTo >= issued.generation);
  const restored = await json(token, [...revoke, "--profile", issued.profile, "--restore"]);
  assert.equal(restored.entries.length, 1);
  assert.ok(restored.number > second.number);
  await token([...revoke, "--profile", "nothing", "--restore"], { code: 1 });
  await token([...revoke, "--profile", "x", "--reason", "whim"], { code: 2 });
  await token(["issuer-key", "--out", `${dir}/stranger`]);
  const foreign = await token(
    ["revoke", "--issuer", `${dir}/stranger`, "--list", `${dir}/revoked.jws`, "--profile", "x"],
    { code: 1 },
  );
  assert.match(foreign.stderr, /this issuer didn't sign it/);
  await Deno.writeTextFile(`${dir}/revoked.jws`, "garbage");
  assert.match((await token(revoke, { code: 1 })).stderr, /it is damaged/);
});

labTest(
  "a split profile is issued, and changed only together with its hub's new half",
  async () => {
    await using lab = await ReaderLab.open();
    const { dir, token } = await station(lab);
    const key = (await lab.machine.sh("wg genkey | wg pubkey")).trim();
    // Nobody listens there: what needs the hub's half says so.
    const split = ["--share-hub", "127.0.0.1:9", "--share-hub-key", key];
    const half = await token(["issue", ...files(dir), ...split], { code: 2 });
    assert.match(half.stderr, /--share-hub, --share-hub-key and --share-out go together/);
    const issued = await json(token, [
      ...["issue", ...files(dir), ...split, "--share-out", `${dir}/first.share`],
      ...["--recovery-out", `${dir}/recovery`],
    ]);
    assert.equal(issued.otherHalfAt, "127.0.0.1:9");
    const share = await shareIn(`${dir}/first.share`, issued.issuer);
    assert.deepEqual([share.cardId, share.profileId], [issued.card, issued.profile]);
    const kinds = JSON.parse((await token(["recipient", "list", "--json"])).stdout);
    assert.deepEqual(kinds.map((one: { kind: string }) => one.kind).slice(0, 2), [
      "sekisho-split",
      "X25519",
    ]);

    const away = await token(["export", "--pin-stdin"], { ...PIN, code: 1 });
    assert.match(away.stderr, /^Cannot ask the hub at 127\.0\.0\.1:9 for its half: /m);
    const renew = ["renew", "--issuer", `${dir}/issuer`, "--identity-file", `${dir}/recovery`];
    assert.match((await token(renew, { code: 1 })).stderr, /its hub needs a new half too/);
    const renewed = await json(token, [...renew, "--share-out", `${dir}/second.share`]);
    const next = await shareIn(`${dir}/second.share`, issued.issuer);
    assert.notDeepEqual(next.id, share.id, "a new split");
    assert.deepEqual(next.proofKey, share.proofKey, "the card proves itself with the same key");
    assert.equal(next.generation, renewed.generation);
    assert.notDeepEqual(next.share, share.share);
    await token(["card-key", "--for-hub", "--out", `${dir}/own.card`]);
    const add = (card: string, out: string) => [
      ...["recipient", "add", "spare", "--card", card, "--issuer", `${dir}/issuer`, ...at("0")],
      ...["--identity-file", `${dir}/recovery`, "--share-out", out, "--bundle-out", `${out}.file`],
    ];
    const own = await token(add(`${dir}/own.card`, `${dir}/third.share`), { code: 1 });
    assert.match(own.stderr, /^Cannot add /m);
    assert.throws(() => Deno.statSync(`${dir}/third.share`));

    // Another card has a half of its own at the hub, and a key of its own to ask for it.
    const spare = await startSoftcard(lab.machine, { state: `${dir}/spare.state`, port: 35964 });
    await token(["card-key", "--out", `${dir}/plain.card`, ...at("1")]);
    const plain = await token(add(`${dir}/plain.card`, `${dir}/third.share`), { code: 1 });
    assert.match(plain.stderr, /names no key that proves the card to the hub; write it with/);
    await token(["card-key", "--for-hub", "--out", `${dir}/spare.card`, ...at("1")]);
    const both = await json(token, add(`${dir}/spare.card`, `${dir}/third.share`));
    const [one, two] = [
      await shareIn(`${dir}/third.share`, issued.issuer),
      await shareIn(`${dir}/third.2.share`, issued.issuer),
    ];
    assert.deepEqual([one.cardId, two.profileId], [issued.card, issued.profile]);
    assert.notEqual(two.cardId, one.cardId);
    assert.notDeepEqual(two.proofKey, one.proofKey);
    assert.deepEqual([one.generation, two.generation], [both.generation, both.generation]);
    const trust = ["--trust", issued.issuer];
    await token(["put", `${dir}/third.share.file`, ...trust, ...at("1")]);
    const head = JSON.parse((await token(["show", "--json", ...trust, ...at("1")])).stdout).profile;
    assert.deepEqual([head.otherHalfAt, head.generation], ["127.0.0.1:9", both.generation]);

    // From the other card's side the profile is changed as well: both halves are new.
    await token([
      ...["renew", "--issuer", `${dir}/issuer`, "--identity-file", `${dir}/recovery`],
      ...["--share-out", `${dir}/fourth.share`, ...at("1")],
    ]);
    const last = await shareIn(`${dir}/fourth.share`, issued.issuer);
    assert.deepEqual([last.cardId, last.proofKey], [issued.card, one.proofKey]);
    assert.equal((await shareIn(`${dir}/fourth.2.share`, issued.issuer)).cardId, two.cardId);
    await spare.stop();
  },
);

/** Passkeys join and leave the card's profile: no issuer, no new issue, and stock `age` goes on. */
async function passkeysOf(
  { dir, token, recovery }: { dir: string; token: Token; recovery: string },
): Promise<void> {
  const issue = (await shown(token)).profile;
  const settings = await exported(token);
  const container = () => readContainer(`${dir}/card.state`);
  /** Makes words for the issue that the card carries now. */
  const issuedNow = async () => {
    const fileKey = await readFileKey(`${dir}/card.state`, recovery);
    const decrypter = new Decrypter();
    decrypter.addIdentity(recovery);
    const nonce = passkeyNonce(sha256(await decrypter.decrypt(await container())));
    const word = (name: string, fill = 9) => {
      const prf = new Uint8Array(64).fill(fill);
      return formatPasskey({ name, body: prfStanza(fileKey, { nonce, prf }).body }, nonce);
    };
    return { nonce, word };
  };
  const { nonce, word } = await issuedNow();
  const prf = new Uint8Array(64).fill(9);
  const add = (text: string, options = {}) =>
    token(["passkey", "add", text, "--pin-stdin"], { ...PIN, ...options });
  assert.match((await add(word("phone"))).stdout, /^These passkeys open this profile: phone\./);
  assert.deepEqual(await json(token, ["passkey", "add", word("key", 1), "--pin-stdin"], PIN), [
    "phone",
    "key",
  ]);
  const there = (await shown(token)).profile;
  assert.deepEqual(there, { ...issue, passkeys: ["phone", "key"] });
  const opened = await openContainer(await container(), prfIdentity(prf, { nonce }));
  assert.ok(typeof opened === "object");
  assert.ok(await opens(await container(), recovery));
  assert.equal(await exported(token), settings, "the card opens it as before");

  assert.match((await add(word("key", 2), { code: 1 })).stderr, /key is there already/);
  assert.match((await add(word("same"), { code: 1 })).stderr, /phone is there already/);
  assert.match((await add("passkey1.x", { code: 2 })).stderr, /TEXT is no passkey/);
  const foreign = formatPasskey({ name: "x", body: new Uint8Array(32) }, new Uint8Array(16));
  assert.match((await add(foreign, { code: 1 })).stderr, /it is for another profile/);
  const wrong = await add(word("third", 3), { input: "000000\n", code: 1 });
  assert.match(wrong.stderr, /wrong PIN; 2 tries left/);
  const remove = ["passkey", "remove"];
  const nobody = await token([...remove, "none", "--pin-stdin"], { ...PIN, code: 1 });
  assert.match(nobody.stderr, /there is none of that name/);
  await token([...remove, "phone", "--pin-stdin"], PIN);
  assert.equal((await token(["passkey", "list"])).stdout, "key\n");
  const beside = `${dir}/beside`;
  const renew = ["renew", "--issuer", `${dir}/issuer`, "--pin-stdin", "--bundle-out", beside];
  assert.match(
    (await token(renew, PIN)).stderr,
    /these passkeys don't open the new profile until they are added again: key/,
  );
  assert.deepEqual(await json(token, ["passkey", "list"]), []);
  // In a file beside its card: the card's own profile is not touched.
  const next = (await issuedNow()).word("phone");
  const addBeside = ["passkey", "add", next, "--pin-stdin", "--bundle", beside];
  assert.match(
    (await token(addBeside, { ...PIN, code: 2 })).stderr,
    /--bundle and --bundle-out go/,
  );
  await token([...addBeside, "--bundle-out", `${dir}/next`], PIN);
  const listed = await json(token, ["passkey", "list", "--bundle", `${dir}/next`]);
  assert.deepEqual(listed, ["phone"]);
  assert.deepEqual(await json(token, ["passkey", "list"]), []);
}

const at = (slot: string) => ["--reader", `00 0${slot}`];

async function shareIn(path: string, issuer: string) {
  const key = parseIssuerKey(issuer);
  const record = await readShareRecord(await Deno.readFile(path), key === undefined ? [] : [key]);
  assert.ok(typeof record === "object", `${record}`);
  return record;
}

async function station(lab: ReaderLab): Promise<{ dir: string; token: Token }> {
  const { dir } = lab.lab;
  const token = tokenIn(lab);
  await lab.startService();
  await lab.startCard();
  await token(["issuer-key", "--out", `${dir}/issuer`]);
  await Deno.writeTextFile(`${dir}/alice.toml`, ALICE);
  return { dir, token };
}

function files(dir: string): string[] {
  return ["--issuer", `${dir}/issuer`, "--from", `${dir}/alice.toml`];
}

// deno-lint-ignore no-explicit-any
async function json(token: Token, args: string[], options: { input?: string } = {}): Promise<any> {
  const { stdout } = await token([...args, "--json"], options);
  assert.doesNotMatch(stdout, /SECRET/);
  return JSON.parse(stdout);
}

// deno-lint-ignore no-explicit-any
async function shown(token: Token): Promise<any> {
  return JSON.parse((await token(["show", "--json"])).stdout);
}

async function exported(token: Token): Promise<string> {
  return (await token(["export", "--pin-stdin"], PIN)).stdout;
}

function keyIn(conf: string): string | undefined {
  return /^PrivateKey = (.*)$/m.exec(conf)?.[1];
}

function pskIn(conf: string): string | undefined {
  return /^PresharedKey = (.*)$/m.exec(conf)?.[1];
}

async function opens(container: Uint8Array, identity: string): Promise<boolean> {
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  return await decrypter.decrypt(container).then((plain) => {
    return new TextDecoder().decode(plain.subarray(0, 4)) === "SKSO";
  }, () => false);
}

/** The stock tool with a password on its terminal; the first four bytes of what it opened. */
async function stockPassword(
  lab: ReaderLab,
  { dir, identity }: { dir: string; identity: string },
): Promise<string> {
  const said = await lab.machine.run([
    "bash",
    "-c",
    // Typed ahead: a terminal keeps it until somebody asks.
    `printf 'correct horse\\n' |
      script -qec 'age -d -i ${dir}/${identity} -o ${dir}/opened ${dir}/sealed.age' /dev/null`,
  ]);
  const plain = await Deno.readFile(`${dir}/opened`).catch(() => {
    throw new Error(`age opened nothing: ${said.stdout}${said.stderr}`);
  });
  return new TextDecoder().decode(plain.subarray(0, 4));
}
