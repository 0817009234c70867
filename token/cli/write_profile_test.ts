/** Issuing to cards in this process: those that have no room, and those that lie about their keys. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { x25519 } from "@noble/curves/ed25519.js";
import { p256 } from "@noble/curves/nist.js";
import { CardInProcess } from "../../tests/token/card_channel.ts";
import type { CardChannel } from "../apdu/channel.ts";
import { concat, encodeTlv } from "../apdu/tlv.ts";
import { cardIdentity, KEY_OBJECT } from "../openpgp/card_identity.ts";
import { selectOpenPgp } from "../openpgp/client.ts";
import { selectPiv } from "../piv/client.ts";
import { PIV_ALGORITHM } from "../piv/constants.ts";
import { findBundles } from "../profile/bundle_folder.ts";
import { openContainer } from "../profile/container.ts";
import { readHead } from "../profile/carrier.ts";
import { checkHead } from "../profile/head.ts";
import { makeIssuerKey } from "../profile/issuer_key.ts";
import { makeWireGuardKey } from "../profile/wireguard_key.ts";
import { FIELD_FLAGS, readFields } from "./fields.ts";
import { type Given, readOptions } from "./options.ts";
import { writeForOpenPgp } from "./write_openpgp.ts";
import { WRITE_FLAGS } from "./write_flags.ts";
import { writeTo } from "./write_piv.ts";
import { openStation } from "./writing.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const NOW = 1_850_000_000;
const SETTINGS = [
  ...["--client-id", "alice", "--expires", "2035-01-01", "--address", "10.77.0.2/32"],
  ...["--server-key", makeWireGuardKey().publicKey, "--endpoint", "vpn.example.org:51820"],
];

async function station(kind: "sealed" | "on-card" = "sealed", ...flags: string[]) {
  const folder = await Deno.makeTempDir();
  const { file, publicKey } = makeIssuerKey();
  await Deno.writeTextFile(`${folder}/issuer`, file);
  await Deno.writeTextFile(`${folder}/admin`, "12345678\n");
  const args = [...SETTINGS, "--issuer", `${folder}/issuer`, ...flags]
    .map((arg) => arg.replace("FOLDER", folder));
  const given = readOptions(args, { flags: { ...FIELD_FLAGS, ...WRITE_FLAGS } }) as Given;
  const bundle = given.text("bundle-out");
  const identity = kind === "sealed" ? { kind, ...makeWireGuardKey() } : { kind };
  return {
    folder,
    issuer: publicKey,
    request: {
      given,
      station: await openStation(given),
      fields: await readFields(given, { path: undefined, now: NOW }),
      keys: { identity, presharedKey: undefined },
      files: { peer: undefined, psk: undefined, bundle },
      now: NOW,
    },
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

/** What a card of the standard alone answers: no commands of Yubico's, no objects of ours. */
class StrictCard extends CardInProcess {
  override transmit(command: Uint8Array): Promise<Uint8Array> {
    const [, ins = 0] = command;
    const isOurs = command.subarray(4, 12).toHex().includes("5c035f40");
    if (ins >= 0xf0) return Promise.resolve(Uint8Array.of(0x6d, 0x00));
    if (ins === 0xdb && isOurs) return Promise.resolve(Uint8Array.of(0x6a, 0x81));
    if (ins === 0xcb && isOurs) return Promise.resolve(Uint8Array.of(0x6a, 0x82));
    return super.transmit(command);
  }
}

async function pivOf(channel: CardChannel) {
  const piv = await selectPiv(channel);
  const id = await piv?.cardId();
  assert.ok(piv && id !== undefined);
  return { reader: "test", piv, id };
}

Deno.test("a card that takes no objects of ours is told so, and leads to a file beside it", async () => {
  const channel = new StrictCard();
  const card = await pivOf(channel);
  await using without = await station("sealed", "--new-seal-key");
  await assert.rejects(
    writeTo(card, without.request),
    /^CommandError: Cannot write the profile to the card: the card takes only data objects of the standard \(it answered 6A81\); give --bundle-out FILE.profile, and copy it, .* token.profiles$/,
  );
  assert.ok(
    !channel.commands.some(([, ins]) => ins === 0x47),
    "no key was made for a profile that has no place",
  );
  await using place = await station("sealed", "--new-seal-key", "--bundle-out", "FOLDER/a.profile");
  const summary = await writeTo(card, place.request);
  assert.equal(summary.files["bundle"], `${place.folder}/a.profile`);
  const [found, ...more] = await findBundles(place.folder, card.id);
  assert.ok(found && more.length === 0);
  const issuerKeys = [place.issuer];
  const context = { issuerKeys, cardId: card.id, now: NOW, highestGeneration: 0 };
  assert.equal((await checkHead(found.head, context)).result, "ok");

  // A batch names the file itself.
  await using batch = await station("sealed", "--new-seal-key");
  const files = { ...batch.request.files, beside: `${batch.folder}/b.profile` };
  assert.equal(
    (await writeTo(card, { ...batch.request, files })).files["bundle"],
    `${batch.folder}/b.profile`,
  );
});

Deno.test("a card with room carries its profile, and a file that was asked for lies beside", async () => {
  const card = await pivOf(new CardInProcess());
  await using place = await station("sealed", "--new-seal-key");
  const files = { ...place.request.files, beside: `${place.folder}/unwanted.profile` };
  const summary = await writeTo(card, { ...place.request, files });
  assert.deepEqual(summary.files, {});
  assert.equal((await readHead(card.piv)).result, "ok");
  assert.deepEqual(await findBundles(place.folder, card.id), []);
});

Deno.test("an OpenPGP card's profile is sealed to its decryption key and lies in a file", async () => {
  const channel = new CardInProcess();
  const card = await selectOpenPgp(channel);
  assert.ok(card);
  await using without = await station();
  await assert.rejects(
    writeForOpenPgp(card, without.request),
    /has no room for one; give --bundle/,
  );
  const out = ["--bundle-out", "FOLDER/a.profile"];
  await using keyless = await station("sealed", ...out);
  await assert.rejects(writeForOpenPgp(card, keyless.request), /no X25519 decryption key; give/);
  await using onCard = await station("on-card", ...out);
  await assert.rejects(writeForOpenPgp(card, onCard.request), /OpenPGP cards do no handshakes/);
  const make = ["--new-seal-key", "--admin-pin-file", "FOLDER/admin"];
  await using place = await station("sealed", ...out, ...make);
  const pin = utf8("123456");
  const summary = await writeForOpenPgp(card, { ...place.request, pin });
  assert.deepEqual([summary.card, summary.recipients], [await card.cardId(), ["card (x25519)"]]);
  assert.equal((await findBundles(place.folder, summary.card)).length, 1);
  const key = await card.decryptionKey();

  // A key of the profile's own in the card's private object: what was written before is closed.
  const object = [...out, "--key-object"];
  await using unverified = await station("sealed", ...object);
  await assert.rejects(writeForOpenPgp(card, unverified.request), /give its PIN \(--ask-pin\)/);
  const opens = async (folder: string) => {
    const [found] = await findBundles(folder, summary.card);
    assert.ok(found && key);
    const opened = await openContainer(found.sealed, cardIdentity(card, key));
    return typeof opened === "object";
  };
  await using first = await station("sealed", ...object);
  await writeForOpenPgp(card, { ...first.request, pin });
  assert.ok(await opens(first.folder));
  assert.ok(await opens(place.folder), "what is sealed to the decryption key itself");
  await using second = await station("sealed", ...object);
  await writeForOpenPgp(card, { ...second.request, pin });
  assert.deepEqual([await opens(first.folder), await opens(second.folder)], [false, true]);
  await card.putData(KEY_OBJECT, utf8("somebody's"));
  await assert.rejects(
    writeForOpenPgp(card, { ...unverified.request, pin }),
    /another program's data is in object 3/,
  );
  assert.ok(await opens(place.folder), "another program's object is passed over");

  await using again = await station("sealed", ...out);
  await writeForOpenPgp(card, again.request);
  assert.deepEqual(await card.decryptionKey(), key, "a key that is there is used as it is");
  assert.ok(![...Deno.readDirSync(keyless.folder)].some(({ name }) => name.includes("profile")));
});

/** A card that names somebody else's keys in its metadata. */
class LyingCard extends CardInProcess {
  readonly claims = new Map<number, Uint8Array>();
  override transmit(command: Uint8Array): Promise<Uint8Array> {
    const [, ins, , slot = 0] = command;
    const claim = ins === 0xf7 ? this.claims.get(slot) : undefined;
    if (claim === undefined) return super.transmit(command);
    const algorithm = claim.length === 32 ? PIV_ALGORITHM.x25519 : PIV_ALGORITHM.eccP256;
    const metadata = concat(
      ...[encodeTlv(1, Uint8Array.of(algorithm)), encodeTlv(2, Uint8Array.of(2, 1))],
      ...[encodeTlv(3, Uint8Array.of(1)), encodeTlv(4, encodeTlv(0x86, claim))],
    );
    return Promise.resolve(concat(metadata, Uint8Array.of(0x90, 0x00)));
  }
}

Deno.test("a card that names a key that it doesn't have gets no profile", async () => {
  const foreign = p256.getPublicKey(p256.utils.randomSecretKey(), false);
  const channel = new LyingCard();
  const card = await pivOf(channel);
  // What is really there.
  await using honest = await station("on-card", "--new-seal-key");
  const pin = () => utf8("123456");
  await writeTo(card, { ...honest.request, pin: pin() });
  const before = await readHead(card.piv);

  const lies: [slot: number, key: Uint8Array, kind: "sealed" | "on-card"][] = [
    [0x9d, foreign, "sealed"],
    [0x82, x25519.getPublicKey(new Uint8Array(randomBytes(32))), "on-card"],
  ];
  for (const [slot, key, kind] of lies) {
    channel.claims.clear();
    channel.claims.set(slot, key);
    await using place = await station(kind, "--bundle-out", "FOLDER/a.profile");
    const name = slot.toString(16);
    await assert.rejects(
      writeTo(card, { ...place.request, pin: pin() }),
      new RegExp(`does not hold the key that it names in slot ${name}: it answered a challenge`),
    );
    assert.deepEqual([...Deno.readDirSync(place.folder)].length, 2, "no file is left");
  }
  assert.deepEqual(await readHead(card.piv), before, "the card is as it was");

  // Without the PIN: what the card carries contradicts itself (its attestation is of its real key).
  channel.reinsert();
  await card.piv.select();
  channel.claims.clear();
  channel.claims.set(0x9d, foreign);
  await using place = await station("sealed");
  await assert.rejects(writeTo(card, place.request), /names in slot 9d: its own attestation is/);
});

Deno.test("a wrong PIN spends one try and writes nothing", async () => {
  const card = await pivOf(new CardInProcess());
  await using place = await station("sealed", "--new-seal-key");
  await assert.rejects(
    writeTo(card, { ...place.request, pin: utf8("654321") }),
    /^CommandError: Cannot use the card: wrong PIN; 2 tries left$/,
  );
  assert.equal((await readHead(card.piv)).result, "fault");
});

Deno.test("an OpenPGP card that names another's key is found out with its PIN", async () => {
  const card = await selectOpenPgp(new CardInProcess());
  assert.ok(card);
  await using place = await station("sealed", "--bundle-out", "FOLDER/a.profile");
  await card.verifyPin(utf8("12345678"), 0x83);
  await card.generateDecryptionKey();
  const lying = new Proxy(card, {
    get: (real, name) =>
      name === "decryptionKey"
        ? () => Promise.resolve(x25519.getPublicKey(new Uint8Array(randomBytes(32))))
        : (real[name as keyof typeof real] as () => unknown).bind(real),
  });
  await assert.rejects(
    writeForOpenPgp(lying, { ...place.request, pin: utf8("123456") }),
    /it answered a challenge with another key/,
  );
});
