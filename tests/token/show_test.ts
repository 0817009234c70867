/** `token show` and `token list` tell what a card can do and why, and find out cards that lie. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { CardRefusedError } from "../../token/apdu/channel.ts";
import { concat, encodeTlv } from "../../token/apdu/tlv.ts";
import { ageRecipient, openPgpIdentity } from "../../token/openpgp/age_card.ts";
import { selectOpenPgp } from "../../token/openpgp/client.ts";
import { PASSWORD, PRIVATE_OBJECT } from "../../token/openpgp/constants.ts";
import { unwrapKey, wrapKey } from "../../token/openpgp/wrapped_key.ts";
import { listReaders } from "../../token/pcsc/list.ts";
import { openCard } from "../../token/pcsc/session.ts";
import { type PivClient, selectPiv } from "../../token/piv/client.ts";
import { FACTORY_MANAGEMENT_KEY } from "../../token/piv/client_management.ts";
import { OBJECT_TAG, PIV_ALGORITHM } from "../../token/piv/constants.ts";
import { openContainer } from "../../token/profile/container.ts";
import { sleep } from "../lab/machine.ts";
import { labTest } from "../lab/needs.ts";
import { OddCard } from "./odd_card.ts";
import { ReaderLab } from "./reader_lab.ts";

/** A guard against hanging, not a measure. */
const PATIENCE_MS = 30_000;
const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));

labTest(
  "a card's ways and keys are told in both languages, and a false certificate is found out",
  async () => {
    await using lab = await ReaderLab.open();
    const { readerName } = await lab.startService();
    await lab.startCard();
    await administered(readerName, async (piv) => {
      await piv.generateKey(0x9a, { algorithm: PIV_ALGORITHM.eccP256 });
      await piv.generateKey(0x82, { algorithm: PIV_ALGORITHM.x25519 });
      await certify(piv, { slot: 0x9a, tag: OBJECT_TAG.authenticationCertificate });
    });

    const shown = JSON.parse(await token(lab, ["show", "--json"]));
    assert.deepEqual(shown.identities, ["on-card", "sealed"]);
    assert.equal(shown.capabilities.identities[0].reason.key, "x25519-key-there");
    assert.equal(shown.warning, "the PIN is still the factory's");
    assert.equal(shown.keys["9a"].attestation.backedBy, "card's word");
    assert.equal(shown.keys["9a"].attestation.serial, shown.serial);
    assert.equal(shown.keys["9a"].contradictions, undefined);
    assert.equal(shown.keys["82"].algorithm, "X25519");
    assert.match(
      await token(lab, ["show"]),
      /never leaves the card: yes\. Slot 82 holds an X25519/,
    );
    assert.match(await token(lab, ["show"], "ja_JP.UTF-8"), /カードから出ない鍵: 可\. スロット82/);

    // Somebody puts another key's certificate on the card.
    await administered(readerName, async (piv) => {
      await piv.generateKey(0x9c, { algorithm: PIV_ALGORITHM.eccP256 });
      await certify(piv, { slot: 0x9c, tag: OBJECT_TAG.authenticationCertificate });
    });
    const changed = JSON.parse(await token(lab, ["show", "--json"]));
    assert.deepEqual(changed.keys["9a"].contradictions, ["certificate-of-another-key"]);
    assert.match(await token(lab, ["show"]), /contradictions: certificate-of-another-key/);
  },
);

labTest("an OpenPGP card is told of too, and one bad card doesn't hide another", async () => {
  await using lab = await ReaderLab.open();
  const { readerName } = await lab.startService();
  await using card = await OddCard.start(lab.machine, { dir: lab.lab.dir });
  await card.say("insert");
  await using other = await OddCard.start(lab.machine, {
    dir: lab.lab.dir,
    port: 35964,
    serial: 87654321,
  });
  await other.say("insert");
  await untilPresent(2);

  // No PIV application: the answer to the first SELECT.
  const only = ["--reader", readerName];
  await card.say("lie 6a82");
  const shown = JSON.parse(await token(lab, ["show", "--json", ...only]));
  assert.deepEqual([shown.kind, shown.version], ["OpenPGP", "3.4"]);
  assert.match(shown.cardId, /^openpgp:[0-9a-f]{4}:12345678$/);
  assert.deepEqual(shown.pin, { state: "locked", triesLeft: 3 });
  assert.equal(shown.capabilities.carriers[0].way, "card-key-only");
  await card.say("lie 6a82");
  assert.match(await token(lab, ["show", ...only]), /private object of the card holds \d+ bytes/);

  await card.say("flood 41419000");
  const rows = JSON.parse(await token(lab, ["list", "--json"]));
  assert.deepEqual(rows.map(({ kind }: { kind: string }) => kind), ["unreadable", "PIV"]);
  assert.match(rows[0].reason, /malformed; try another card/);
  assert.equal(rows[1].serial, 87654321);
  await card.say("normal");
  await card.say("lie 6a82");
  const again = JSON.parse(await token(lab, ["list", "--json"]));
  assert.deepEqual(again.map(({ kind }: { kind: string }) => kind), ["OpenPGP", "PIV"]);
});

labTest("an OpenPGP card through the reader: PIN, agreement, a private object", async () => {
  await using lab = await ReaderLab.open();
  const { readerName } = await lab.startService();
  await lab.startCard();
  const session = await openCard(readerName);
  const card = await selectOpenPgp(session);
  assert.ok(card);
  await card.verifyPin(bytes("12345678"), PASSWORD.administrator);
  const publicKey = await card.generateDecryptionKey();
  await card.verifyPin(bytes("123456"));
  const key = new Uint8Array(randomBytes(32));
  const ephemeral = new Uint8Array(randomBytes(32));
  const wrapped = wrapKey(key, { recipient: publicKey, ephemeral });
  await card.putData(PRIVATE_OBJECT.third, wrapped);
  await session.reset();
  await card.select();
  await assert.rejects(card.privateObject(PRIVATE_OBJECT.third), CardRefusedError);
  await card.verifyPin(bytes("123456"));
  const stored = await card.privateObject(PRIVATE_OBJECT.third);
  assert.ok(stored);
  assert.deepEqual(await unwrapKey(card, { bytes: stored, recipient: publicKey }), { key });

  // Stock age seals to the card's key; the card opens.
  const file = `${lab.lab.dir}/sealed.age`;
  const age = ["age", "-r", ageRecipient(publicKey), "-o", file];
  const { code, stderr } = await lab.machine.run(age, { input: "for the card" });
  assert.equal(code, 0, stderr);
  const opened = await openContainer(Deno.readFileSync(file), openPgpIdentity(card, publicKey));
  assert.ok(typeof opened === "object");
  assert.equal(new TextDecoder().decode(opened.plaintext), "for the card");
  await session.close();
});

async function untilPresent(count: number): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while ((await listReaders()).filter(({ card }) => card === "present").length < count) {
    if (performance.now() > end) throw new Error(`Waited in vain for ${count} cards`);
    await sleep(20);
  }
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

async function token(lab: ReaderLab, args: string[], language = "C"): Promise<string> {
  const { code, stdout, stderr } = await lab.machine.run(
    [Deno.execPath(), "run", "-A", "--cached-only", "--no-prompt", MAIN, "token", ...args],
    { env: { ...ReaderLab.insideEnv, LC_ALL: language } },
  );
  assert.equal(code, 0, stderr);
  return stdout;
}

async function administered(
  reader: string,
  work: (piv: PivClient) => Promise<void>,
): Promise<void> {
  const session = await openCard(reader);
  const piv = await selectPiv(session);
  assert.ok(piv);
  const challenge = new Uint8Array(randomBytes(16));
  assert.ok(await piv.authenticateManagement({ key: FACTORY_MANAGEMENT_KEY, challenge }));
  await work(piv);
  await session.close();
}

/** Writes what the card attests about one slot's key as a certificate. */
async function certify(piv: PivClient, where: { slot: number; tag: number }): Promise<void> {
  const der = await piv.attest(where.slot);
  assert.ok(der);
  const tail = Uint8Array.of(0x71, 1, 0, 0xfe, 0);
  await piv.putObject(where.tag, concat(encodeTlv(0x70, der), tail));
}
