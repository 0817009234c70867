/** `token show` and `token list` tell what a card can do and why, and find out cards that lie. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { concat, encodeTlv } from "../../token/apdu/tlv.ts";
import { openCard } from "../../token/pcsc/session.ts";
import { type PivClient, selectPiv } from "../../token/piv/client.ts";
import { FACTORY_MANAGEMENT_KEY } from "../../token/piv/client_management.ts";
import { OBJECT_TAG, PIV_ALGORITHM } from "../../token/piv/constants.ts";
import { labTest } from "../lab/needs.ts";
import { ReaderLab } from "./reader_lab.ts";

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
