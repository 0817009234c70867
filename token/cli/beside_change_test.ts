/** Editing a profile that lies beside its card, with cards in this process. */
import assert from "node:assert/strict";
import { HeldInProcess } from "../../tests/token/held_card.ts";
import { makeIssuer, makeSample } from "../../tests/token/sample.ts";
import { ageRecipient } from "../openpgp/age_card.ts";
import { selectOpenPgp } from "../openpgp/client.ts";
import { PASSWORD } from "../openpgp/constants.ts";
import { formatBundle } from "../profile/bundle.ts";
import type { Profile } from "../profile/profile.ts";
import { cardRecipient } from "../profile/recipients.ts";
import { sealProfile } from "../profile/seal.ts";
import { softwareCrypto } from "../softcard/software_crypto.ts";
import { cheapCard } from "../softcard/test_card.ts";
import { findBeside, openBesideForChange, writeBesideChange } from "./beside_change.ts";
import { CHANGE_FLAGS } from "./change.ts";
import { type Given, readOptions } from "./options.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const NOW = 1_850_000_000;

async function open(kind: "piv" | "openpgp") {
  const sample = await makeSample();
  const session = new HeldInProcess(kind === "piv" ? sample.card.state : cheapCard({ serial: 7 }));
  const folder = await Deno.makeTempDir();
  const { issuer, privateKey, presharedKey, sealedTo } = sample;
  let { cardId } = sample;
  let own: Pick<Profile, "recipients">;
  if (kind === "openpgp") {
    const card = await selectOpenPgp(session);
    assert.ok(card);
    await card.verifyPin(utf8("12345678"), PASSWORD.administrator);
    const recipient = ageRecipient(await card.generateDecryptionKey());
    cardId = await card.cardId();
    own = { recipients: [{ kind: "x25519", name: "card", recipient }] };
  } else own = { recipients: [cardRecipient("card", { cardId, ...sealedTo })] };
  const profile = { ...sample.profile, cardId, ...own };
  const sealed = await sealProfile({ profile, privateKey, presharedKey }, {
    issuer,
    ...(kind === "piv" ? { sealedTo } : {}),
    recovery: (own.recipients ?? []).flatMap((one) => "recipient" in one ? [one.recipient] : []),
  });
  const path = `${folder}/former.profile`;
  await Deno.writeTextFile(path, formatBundle(sealed));
  const given = (...args: string[]) => readOptions(args, { flags: CHANGE_FLAGS }) as Given;
  return {
    ...{ sample, session, folder, path, profile, issuer, given },
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

const key = () => ({ pin: utf8("123456") });

for (const kind of ["piv", "openpgp"] as const) {
  Deno.test(`a profile beside a card (${kind}) is changed into a new file, its keys stay`, async () => {
    await using place = await open(kind);
    const { issuer, session, folder, sample } = place;
    using former = await openBesideForChange(await findBeside(session, place.path), {
      ...{ issuer, key: key(), now: NOW },
    });
    const out = `${folder}/next.profile`;
    const change = {
      ...{ issuer, now: NOW, privateKey: former.privateKey, presharedKey: former.presharedKey },
      profile: { ...former.profile, otherTraffic: "direct" as const },
      recipients: former.recipients,
      files: { peer: undefined, psk: undefined },
    };
    await assert.rejects(
      writeBesideChange(former, { ...change, given: place.given() }),
      /give --bundle/,
    );
    const summary = await writeBesideChange(former, {
      ...{ ...change, given: place.given("--bundle-out", out) },
    });
    assert.deepEqual([summary.otherTraffic, summary.files["bundle"]], ["direct", out]);
    assert.ok(summary.generation > former.head.generation);
    using next = await openBesideForChange(await findBeside(session, out), {
      ...{ issuer, key: key(), now: NOW },
    });
    assert.equal(next.profile.otherTraffic, "direct");
    assert.deepEqual(next.privateKey, Uint8Array.from(sample.privateKey));
    assert.deepEqual(next.presharedKey, Uint8Array.from(sample.presharedKey));
    assert.deepEqual(next.recipients, former.recipients);

    const nobody = { ...change, given: place.given("--bundle-out", `${folder}/x.profile`) };
    await assert.rejects(
      writeBesideChange(former, { ...nobody, recipients: [] }),
      /its own card is not among its recipients/,
    );
  });

  Deno.test(`a profile beside a card (${kind}): other issuers, other cards and wrong PINs`, async () => {
    await using place = await open(kind);
    const { issuer, session } = place;
    const beside = await findBeside(session, place.path);
    const stranger = await makeIssuer();
    await assert.rejects(
      openBesideForChange(beside, { issuer: stranger, key: key(), now: NOW }),
      /not by a trusted issuer/,
    );
    await assert.rejects(
      openBesideForChange(beside, { issuer, key: { pin: utf8("654321") }, now: NOW }),
      /wrong PIN; 2 tries left/,
    );
    const other = new HeldInProcess(cheapCard({ serial: 99, crypto: softwareCrypto }));
    await assert.rejects(findBeside(other, place.path), /it is for another card; insert that one/);
    await Deno.writeTextFile(`${place.folder}/odd`, "{}");
    await assert.rejects(findBeside(session, `${place.folder}/odd`), /damaged, or no profile/);
  });
}
