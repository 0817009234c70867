import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { makeIssuerKey, readIssuerKey } from "../profile/issuer_key.ts";
import { makeAgeKey } from "../profile/age_identity.ts";
import type { IssuerKey } from "../profile/types.ts";
import { AREA, COPIES, HIDDEN_BYTES } from "../stick/layout.ts";
import { openMedium } from "../stick/medium.ts";
import { checkStickProfile, findStick } from "../stick/open.ts";
import { SECTOR } from "../stick/partition.ts";
import { HIDDEN_AT, makeSample, PASSWORD } from "../stick/test_stick.ts";
import { edit, renew } from "./edit.ts";
import { put } from "./put.ts";
import { recipient } from "./recipient.ts";
import { show } from "./show.ts";

Deno.test("a stick is renewed and edited in place; name, keys and recipients stay", async () => {
  await using station = await Station.open();
  const { stick, own } = station;
  const before = await station.head();
  const renewed = await station.json(renew, ["--expires", "2040-01-01", ...own]);
  const after = await station.head();
  assert.equal(renewed.expires, "2040-01-01T00:00:00.000Z");
  assert.equal(after.expiresAt, Date.parse("2040-01-01") / 1000);
  assert.deepEqual([after.cardId, after.profileId], [before.cardId, before.profileId]);
  assert.ok(after.generation > before.generation);
  assert.equal(renewed.clientPublicKey, station.publicKey);
  assert.deepEqual(renewed.recipients, ["password (password)"]);
  const edited = await station.json(edit, [
    ...["--network", "10.30.0.0/16", "--new-keys", "--psk", "--peer-out", `${station.dir}/peer`],
    ...own,
  ]);
  assert.deepEqual(edited.networks, ["10.30.0.0/16"]);
  assert.notEqual(edited.clientPublicKey, station.publicKey);
  assert.match(await Deno.readTextFile(`${station.dir}/peer`), /generation = /);
  assert.equal(edited.files.stick, await Deno.realPath(stick));
});

Deno.test("who has no right to a stick changes nothing on it", async () => {
  await using station = await Station.open();
  const { own, dir, issuer, stick } = station;
  const before = await station.digest();
  await Deno.writeTextFile(`${dir}/wrong`, "another password\n");
  const password = ["--stick", stick, "--pin-file", `${dir}/password`];
  await Deno.writeTextFile(`${dir}/other`, makeIssuerKey().file);
  const { identity } = await makeAgeKey();
  await Deno.writeTextFile(`${dir}/stranger.age`, identity);
  const cases: [string[], RegExp][] = [
    [["--stick", stick, "--pin-file", `${dir}/wrong`, "--issuer", issuer], /wrong password; try/],
    [[...password, "--issuer", `${dir}/other`], /only the issuer that made the stick can/],
    [
      ["--stick", stick, "--issuer", issuer, "--identity-file", `${dir}/stranger.age`],
      /it is not sealed to .*stranger\.age; use the password/,
    ],
    [[...own, "--reader", "x"], /--reader with a stick: it is for cards/],
    [[...own, "--share-out", `${dir}/x`], /--share-out with a stick/],
    [["--stick", `${dir}/none`, ...own.slice(2)], /it is not there; plug it in/],
    [["--stick", issuer, ...own.slice(2)], /it carries no client/],
  ];
  for (const [words, why] of cases) await assert.rejects(renew(words), why);
  await assert.rejects(recipient(["remove", "password", ...own]), /nothing else opens its program/);
  assert.equal(await station.digest(), before);
});

Deno.test("a stick whose program is damaged is not signed for again", async () => {
  await using station = await Station.open();
  await station.flip(HIDDEN_AT + AREA.program + 150_000);
  const before = await station.digest();
  await assert.rejects(renew(station.own), /damaged at chunk 3 of 4; .*anew with token format/);
  assert.equal(await station.digest(), before);
});

Deno.test("recipients come to a stick and go, and can change it where the password is lost", async () => {
  await using station = await Station.open();
  const { own, dir, stick, issuer } = station;
  const added = await station.json(recipient, [
    ...["add", "safe", "--recovery-out", `${dir}/safe`],
    ...own,
  ]);
  assert.deepEqual(added.recipients, ["password (password)", "safe (recovery)"]);
  const listed = await station.json(recipient, ["list", ...own]);
  assert.deepEqual(listed.map(({ name }: { name: string }) => name), ["password", "safe"]);
  const byIdentity = ["--stick", stick, "--issuer", issuer, "--identity-file", `${dir}/safe`];
  await station.json(renew, ["--expires", "2041-01-01", ...byIdentity]);
  const removed = await station.json(recipient, ["remove", "safe", ...own]);
  assert.deepEqual(removed.recipients, ["password (password)"]);
  await assert.rejects(renew(byIdentity), /it is not sealed to/);
  // No copy of before is left for whoever was removed.
  using medium = await openMedium(stick);
  const stanzas: (number | undefined)[] = [];
  for (const at of COPIES) {
    const bytes = await medium.read(HIDDEN_AT + at + AREA.profile, 4096);
    const text = new TextDecoder("latin1").decode(bytes);
    stanzas.push(text.match(/^-> X25519 /gm)?.length);
  }
  assert.deepEqual(stanzas, [1, 1]);
});

Deno.test("a profile goes to its stick by a file, and to no other one", async () => {
  await using station = await Station.open();
  const { own, dir, stick } = station;
  const far = `${dir}/far`;
  await Deno.copyFile(stick, far);
  const before = await station.head();
  await station.json(renew, [...own, "--expires", "2042-01-01", "--bundle-out", `${dir}/first`]);
  const { generation } = await station.head();
  await station.json(renew, [...own, "--expires", "2043-01-01", "--bundle-out", `${dir}/next`]);
  const words = (file: string, to = far) => [
    ...[`${dir}/${file}`, "--stick", to, "--trust", station.issuerKey],
  ];
  assert.equal(
    await saidBy(() => put(words("first"))),
    `Wrote profile ${before.profileId} (generation ${generation}) for Alice Example to the ` +
      `${before.cardId}.`,
  );
  assert.equal((await station.head(far)).expiresAt, Date.parse("2042-01-01") / 1000);

  await assert.rejects(put(words("first", stick)), /a newer one was issued since/);
  await using other = await Station.open();
  const stranger = [`${dir}/next`, "--stick", far, "--trust", other.issuerKey];
  await assert.rejects(put(stranger), /not what a trusted issuer made/);
  const both = [...words("next", other.stick), "--trust", other.issuerKey];
  await assert.rejects(put(both), /it is for stick:\w+, and this is stick:\w+; put in the other/);
  const bundle = JSON.parse(await Deno.readTextFile(`${dir}/next`));
  const { stick: head, ...forCard } = bundle;
  const sealed = bundle.sealed.replace(/A|B/, (letter: string) => letter === "A" ? "B" : "A");
  for (
    const [content, why] of [
      [forCard, /it is for a card/],
      [{ ...bundle, sealed }, /it is damaged; issue it again/],
      [{ ...bundle, stick: head.replace(/^..../, "AAAA") }, /it is damaged; issue it again/],
      [{ ...bundle, stick: "?" }, /it is damaged, or no profile/],
    ] as const
  ) {
    await Deno.writeTextFile(`${dir}/bad`, JSON.stringify(content));
    await assert.rejects(put(words("bad")), why);
  }
  assert.equal((await station.head(far)).generation, generation);
});

Deno.test("neither the stick nor its files show a key or the password", async () => {
  await using station = await Station.open();
  const { own, dir, stick, privateKey } = station;
  await station.json(renew, [...own, "--bundle-out", `${dir}/bundle`]);
  const edited = await station.json(edit, [...own, "--psk", "--peer-out", `${dir}/peer`]);
  const psk = Uint8Array.fromBase64((await Deno.readTextFile(edited.files.psk)).trim());
  const secrets = { "private key": privateKey, "preshared key": psk, password: PASSWORD };
  for (const file of [stick, `${dir}/bundle`, `${dir}/peer`]) {
    const content = Buffer.from(await Deno.readFile(file));
    for (const [name, bytes] of Object.entries(secrets)) {
      const forms = [bytes, bytes.toBase64(), bytes.toHex()];
      for (const form of forms) assert.equal(content.indexOf(form), -1, `${name} in ${file}`);
    }
  }
  assert.ok(Buffer.from(await Deno.readFile(`${dir}/password`)).indexOf(PASSWORD) >= 0);
});

Deno.test("a stick is shown without its password, and with it its settings; never a key", async () => {
  await using station = await Station.open();
  const { dir, stick } = station;
  const words = ["--stick", stick, "--trust", station.issuerKey];
  const told = await station.json(show, words);
  assert.deepEqual(
    [told.profile.holder, told.profile.expired, told.profile.generation, told.profile.settings],
    ["Alice Example", false, 5, undefined],
  );
  const open = [...words, "--pin-file", `${dir}/password`];
  const more = await station.json(show, open);
  assert.deepEqual(more.profile.settings.destinations.networks, ["10.9.0.0/16"]);
  assert.equal(more.program, "whole");
  const text = await saidBy(() => show(open));
  assert.match(text, /^ {4}recipients: password password age1\w+$/m);
  assert.doesNotMatch(JSON.stringify(more), /privateKey|SECRET/);
  await Deno.writeTextFile(`${dir}/wrong`, "another password\n");
  await assert.rejects(show([...words, "--pin-file", `${dir}/wrong`]), /wrong password; try again/);
  await assert.rejects(show(["--stick", stick]), /name its issuer \(--trust KEY\)/);
  await assert.rejects(show(["--stick", `${dir}/none`, ...words.slice(2)]), /Cannot open .*none: /);
  await station.flip(HIDDEN_AT + AREA.program + 150_000);
  const { program } = await station.json(show, open);
  assert.deepEqual(program, { fault: "program-damaged", chunk: 3, chunks: 4 });
  await station.flip(HIDDEN_AT + 300);
  await assert.rejects(show(words), /the head of its hidden part is damaged; tell/);
});

type Command = (args: string[]) => Promise<number>;

/** A stick in a file, its issuer's key, and its password. */
class Station implements AsyncDisposable {
  readonly dir: string;
  readonly stick: string;
  readonly issuer: string;
  readonly publicKey: string;
  readonly privateKey: Uint8Array;
  readonly issuerKey: IssuerKey;
  /** The words of whoever may change it. */
  readonly own: string[];

  private constructor(
    dir: string,
    { publicKey, privateKey, issuerKey }: Pick<
      Station,
      "publicKey" | "privateKey" | "issuerKey"
    >,
  ) {
    this.dir = dir;
    this.privateKey = privateKey;
    this.issuerKey = issuerKey;
    this.stick = `${dir}/stick`;
    this.issuer = `${dir}/issuer`;
    this.publicKey = publicKey;
    this.own = ["--stick", this.stick, "--issuer", this.issuer, "--pin-file", `${dir}/password`];
  }

  static async open(): Promise<Station> {
    const dir = await Deno.makeTempDir();
    const { file } = makeIssuerKey();
    const issuer = await readIssuerKey(file);
    assert.ok(issuer);
    const sample = await makeSample(issuer, { hiddenSectors: HIDDEN_BYTES / SECTOR });
    await Deno.writeFile(`${dir}/stick`, sample.disk);
    await Deno.writeTextFile(`${dir}/issuer`, file);
    await Deno.writeFile(`${dir}/password`, PASSWORD);
    const { publicKey } = sample.profile.identity;
    const { privateKey } = sample;
    return new Station(dir, { publicKey, privateKey, issuerKey: issuer.publicKey });
  }

  // deno-lint-ignore no-explicit-any
  async json(command: Command, words: readonly string[]): Promise<any> {
    return JSON.parse(await saidBy(() => command([...words, "--json"])));
  }

  async head(stick = this.stick) {
    using medium = await openMedium(stick);
    const found = await findStick(medium, [this.issuerKey]);
    assert.ok(!("fault" in found), JSON.stringify(found));
    const checked = await checkStickProfile(found, { now: 0, highestGeneration: 0 });
    assert.ok(checked.result === "ok");
    return checked.head;
  }

  async digest(): Promise<string> {
    const bytes = await Deno.readFile(this.stick);
    return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
  }

  async flip(at: number): Promise<void> {
    using file = await Deno.open(this.stick, { read: true, write: true });
    const byte = new Uint8Array(1);
    await file.seek(at, Deno.SeekMode.Start);
    await file.read(byte);
    await file.seek(at, Deno.SeekMode.Start);
    await file.write(byte.map((value) => value ^ 1));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.dir, { recursive: true });
  }
}

/** What a command prints; it must end well. */
async function saidBy(command: () => Promise<number>): Promise<string> {
  const said: string[] = [];
  const { log } = console;
  console.log = (line: string) => void said.push(line);
  try {
    assert.equal(await command(), 0);
  } finally {
    console.log = log;
  }
  return said.join("\n");
}
