/** An OpenPGP card whose profile lies in the gateway's folder, in the engine's hands. */
import assert from "node:assert/strict";
import { HeldInProcess } from "../../tests/token/held_card.ts";
import { makeSample, type Sample } from "../../tests/token/sample.ts";
import { ageRecipient } from "../../token/openpgp/age_card.ts";
import { selectOpenPgp } from "../../token/openpgp/client.ts";
import { PASSWORD } from "../../token/openpgp/constants.ts";
import { formatBundle } from "../../token/profile/bundle.ts";
import type { Profile } from "../../token/profile/profile.ts";
import { sealProfile } from "../../token/profile/seal.ts";
import { cheapCard } from "../../token/softcard/test_card.ts";
import { cardFacts } from "./card_facts.ts";
import { type Look, lookAtCard, type ReadyCard } from "./card.ts";
import { EngineSecrets } from "./secrets.ts";
import { unlock } from "./unlock.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const NOW = 1_850_000_000_000;

interface Place extends AsyncDisposable {
  readonly card: HeldInProcess;
  readonly folder: string;
  readonly sample: Sample;
  readonly publicKey: Uint8Array;
  readonly cardId: string;
  /** Seals a profile to the card and puts it into the folder. */
  write(change?: Partial<Profile>, to?: Uint8Array): Promise<void>;
  look(known?: { highest?: number; revoked?: boolean }): Promise<Look>;
  readonly faults: string[];
}

async function open(serial = 12345678): Promise<Place> {
  const card = new HeldInProcess(cheapCard({ serial }));
  const client = await selectOpenPgp(card);
  assert.ok(client);
  await client.verifyPin(utf8("12345678"), PASSWORD.administrator);
  const publicKey = await client.generateDecryptionKey();
  const cardId = await client.cardId();
  card.reinsert();
  const folder = await Deno.makeTempDir();
  const sample = await makeSample();
  const faults: string[] = [];
  return {
    card,
    folder,
    sample,
    publicKey,
    cardId,
    faults,
    async write(change = {}, to = publicKey) {
      const { profile, privateKey, presharedKey, issuer } = sample;
      const sealed = await sealProfile({
        profile: { ...profile, cardId, ...change },
        privateKey,
        presharedKey,
      }, { issuer, recovery: [ageRecipient(to)] });
      const name = `${crypto.randomUUID()}.profile`;
      await Deno.writeTextFile(`${folder}/${name}`, formatBundle(sealed));
    },
    look: ({ highest = 0, revoked = false } = {}) =>
      lookAtCard(card, {
        issuerKeys: [sample.issuer.publicKey],
        now: NOW,
        askGateway: () => Promise.resolve({ highest, revoked }),
        onFault: (message) => faults.push(message),
        profiles: folder,
      }),
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

async function readyOf(place: Place): Promise<ReadyCard> {
  const look = await place.look();
  assert.ok("ready" in look, JSON.stringify(look.report));
  return look.ready;
}

async function enter(place: Place, ready: ReadyCard, pin: string) {
  const secrets = new EngineSecrets();
  secrets.keepPin(utf8(pin));
  const issuerKeys = [place.sample.issuer.publicKey];
  return { secrets, result: await unlock(ready, { issuerKeys, secrets, onTouch: () => {} }) };
}

Deno.test("an OpenPGP card opens the profile that lies in the folder, its keys in locked memory", async () => {
  await using place = await open();
  await place.write();
  const look = await place.look();
  assert.deepEqual(look.report, {
    card: "pin-asked",
    holder: "Alice Examplé",
    triesLeft: 3,
    expiresAt: 1_900_000_000_000,
  });
  const ready = await readyOf(place);
  assert.deepEqual([ready.card.application, ready.carrier], ["openpgp", "folder"]);
  const { secrets, result } = await enter(place, ready, "123456");
  assert.equal(result.result, "ok");
  assert.ok(result.result === "ok" && result.privateKey && result.presharedKey);
  assert.equal(result.profile.cardId, place.cardId);
  const { privateKey, presharedKey } = place.sample;
  assert.deepEqual(result.privateKey.bytes, Uint8Array.from(privateKey));
  assert.deepEqual(result.presharedKey.bytes, Uint8Array.from(presharedKey));
  const { address, bytes } = secrets.profile;
  for (const key of [result.privateKey, result.presharedKey]) {
    assert.ok(key.address >= address && key.address < address + BigInt(bytes.length));
  }
  secrets.wipe();
  assert.ok([...result.privateKey.bytes, ...secrets.pin].every((byte) => byte === 0), "wiped");
  assert.deepEqual(place.faults, []);
});

Deno.test("the card's ways are told, whichever application was looked at last", async () => {
  await using place = await open();
  const without = await place.look();
  assert.ok("card" in without && without.card);
  const empty = await cardFacts(without.card, undefined);
  assert.deepEqual([empty?.application, empty?.carrier], ["piv", undefined]);
  assert.deepEqual(empty?.identities.map(({ way, open }) => [way, open]), [
    ["on-card", "yes"],
    ["sealed", "yes"],
  ]);
  await place.write();
  const ready = await readyOf(place);
  const facts = await cardFacts(ready.card, ready.carrier);
  assert.deepEqual([facts?.application, facts?.carrier], ["openpgp", "folder"]);
  assert.deepEqual(facts?.identities.map(({ reason }) => reason.key), [
    "openpgp-needs-piv",
    "openpgp-key-there",
  ]);
  const { result } = await enter(place, ready, "123456");
  assert.equal(result.result, "ok", "asking has changed nothing");
});

Deno.test("wrong PINs show the tries that are left, and a blocked card is told apart", async () => {
  await using place = await open();
  await place.write();
  const ready = await readyOf(place);
  for (const triesLeft of [2, 1]) {
    const { result } = await enter(place, ready, "654321");
    assert.deepEqual(result, { result: "failed", why: { failure: "wrong-pin", triesLeft } });
  }
  assert.deepEqual((await place.look()).report, {
    ...{ card: "pin-asked", holder: "Alice Examplé", triesLeft: 1, expiresAt: 1_900_000_000_000 },
  });
  const { result } = await enter(place, ready, "654321");
  assert.deepEqual(result, { result: "failed", why: { failure: "blocked" } });
  assert.deepEqual((await place.look()).report, { card: "blocked", holder: "Alice Examplé" });
});

Deno.test("the newest genuine profile counts; what is wrong with others is said", async () => {
  await using place = await open();
  assert.deepEqual((await place.look()).report, { card: "refused", fault: "none-on-card" });
  await Deno.writeTextFile(`${place.folder}/odd.profile`, "{}");
  await Deno.mkdir(`${place.folder}/folder.profile`);
  await place.write({ generation: 7, user: { id: "alice", name: "the newer" } });
  await place.write({ generation: 6, user: { id: "alice", name: "the older" } });
  const { report } = await place.look({ highest: 7 });
  assert.ok(report.card === "pin-asked" && report.holder === "the newer");
  const fault = async (known: { highest?: number; revoked?: boolean }) => {
    const look = await place.look(known);
    return look.report.card === "refused" ? look.report.fault : look.report.card;
  };
  assert.equal(await fault({ highest: 8 }), "older-generation");
  assert.equal(await fault({ revoked: true }), "revoked");

  await using forged = await open();
  const { issuer } = await makeSample();
  Object.assign(forged.sample, {
    issuer: { ...forged.sample.issuer, privateKey: issuer.privateKey },
  });
  await forged.write();
  assert.deepEqual((await forged.look()).report, { card: "refused", fault: "forged" });
});

Deno.test("a profile in the folder that is another card's is none, and one sealed to another key doesn't open", async () => {
  await using place = await open();
  await using other = await open(87654321);
  await other.write();
  for await (const { name } of Deno.readDir(other.folder)) {
    await Deno.copyFile(`${other.folder}/${name}`, `${place.folder}/${name}`);
  }
  assert.deepEqual((await place.look()).report, { card: "refused", fault: "none-on-card" });
  await place.write({}, other.publicKey);
  const { result } = await enter(place, await readyOf(place), "123456");
  assert.deepEqual(result, {
    result: "failed",
    why: { failure: "refused", fault: "other-card" },
  });
});

Deno.test("a folder that isn't there is said, and doesn't stand for the card", async () => {
  await using place = await open();
  await Deno.remove(place.folder);
  assert.deepEqual((await place.look()).report, { card: "refused", fault: "none-on-card" });
  assert.match(place.faults.join("\n"), /^Cannot look for profiles in .*; make the folder/);
  await Deno.mkdir(place.folder);
});
