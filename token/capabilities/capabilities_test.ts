import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { CardInProcess, scripted } from "../../tests/token/card_channel.ts";
import { PivClient, selectPiv } from "../piv/client.ts";
import { FACTORY_MANAGEMENT_KEY } from "../piv/client_management.ts";
import { PivRefusedError } from "../piv/client_types.ts";
import { PIV_ALGORITHM } from "../piv/constants.ts";
import { openPgpFacts, pivFacts, tryObjects } from "./find_out.ts";
import { best, judge } from "./judge.ts";
import type { CardCapabilities, OpenPgpFacts, PivFacts } from "./types.ts";
import { CAPABILITY_WORDS, describeCapabilities } from "./words.ts";

const NIST_CARD: PivFacts = {
  application: "piv",
  version: undefined,
  algorithms: undefined,
  x25519Slot: undefined,
  hasProfile: false,
  trial: undefined,
};
const OPENPGP_CARD: OpenPgpFacts = {
  application: "openpgp",
  hasX25519: false,
  algorithmsChangeable: true,
  privateObjects: true,
  longestPrivateObject: 255,
};

const told = ({ identities, carriers }: CardCapabilities) =>
  [...identities, ...carriers].map(({ open, reason }) => `${open} ${reason.key}`).slice(0, 3);

Deno.test("each kind of card has its ways and its reasons", () => {
  const cards: [Partial<PivFacts>, string[]][] = [
    [{}, ["unknown x25519-untold", "unknown p256-untold", "unknown objects-untried"]],
    [
      { version: "5.4.3" },
      ["no x25519-old-firmware", "yes p256-firmware", "yes objects-firmware"],
    ],
    [{ version: "5.7.0" }, ["yes x25519-firmware", "yes p256-firmware", "yes objects-firmware"]],
    [{ version: "6.0.1" }, ["yes x25519-firmware", "yes p256-firmware", "yes objects-firmware"]],
    [{ algorithms: [0x07, 0x11] }, [
      "no x25519-not-listed",
      "yes p256-listed",
      "unknown objects-untried",
    ]],
    [{ algorithms: [0x07, 0xe1], trial: { trial: "refused", sw: 0x6a81 } }, [
      "yes x25519-listed",
      "no p256-not-listed",
      "no objects-refused",
    ]],
    [{ x25519Slot: 0x82, hasProfile: true, version: "5.0.0" }, [
      "yes x25519-key-there",
      "yes p256-firmware",
      "yes objects-in-use",
    ]],
    [{ trial: { trial: "written" } }, [
      "unknown x25519-untold",
      "unknown p256-untold",
      "yes objects-written",
    ]],
    [{ trial: { trial: "too-small", bytes: 1000 } }, [
      "unknown x25519-untold",
      "unknown p256-untold",
      "no objects-too-small",
    ]],
    [{ trial: { trial: "lost" }, version: "5.7.1" }, [
      "yes x25519-firmware",
      "yes p256-firmware",
      "no objects-too-small",
    ]],
  ];
  for (const [facts, expected] of cards) {
    assert.deepEqual(told(judge({ ...NIST_CARD, ...facts })), expected);
  }
  const openPgp: [Partial<OpenPgpFacts>, string[]][] = [
    [{}, ["no openpgp-needs-piv", "yes openpgp-key-settable", "yes openpgp-object"]],
    [{ hasX25519: true, longestPrivateObject: 60 }, [
      "no openpgp-needs-piv",
      "yes openpgp-key-there",
      "no openpgp-no-object",
    ]],
    [{ algorithmsChangeable: false, privateObjects: false }, [
      "no openpgp-needs-piv",
      "no openpgp-key-fixed",
      "no openpgp-no-object",
    ]],
  ];
  for (const [facts, expected] of openPgp) {
    assert.deepEqual(told(judge({ ...OPENPGP_CARD, ...facts })), expected);
  }
});

Deno.test("a card without room is carried by the gateway, and the best way is a sure one", () => {
  const strict = judge({ ...NIST_CARD, trial: { trial: "refused", sw: 0x6a82 } });
  assert.equal(best(strict.carriers)?.way, "folder");
  assert.equal(best(strict.identities)?.way, "on-card", "the first of two that may be");
  assert.equal(best(judge({ ...NIST_CARD, version: "5.7.2" }).identities)?.way, "on-card");
  assert.equal(best([]), undefined);
});

Deno.test("each reason has words in both languages, with its own facts in them", () => {
  const { en, ja } = CAPABILITY_WORDS;
  assert.deepEqual(Object.keys(en.reasons).sort(), Object.keys(ja.reasons).sort());
  for (const [key, text] of Object.entries(en.reasons)) {
    const fields = (words: string) => [...words.matchAll(/\{\w+\}/g)].map(([name]) => name);
    const other = ja.reasons[key as keyof typeof ja.reasons];
    assert.deepEqual(fields(other), fields(text), key);
    assert.match(other, /[\u3040-\u30ff]/, key);
  }
  const card = judge({ ...NIST_CARD, version: "4.3.5", trial: { trial: "refused", sw: 0x6a81 } });
  const english = describeCapabilities(card, "en");
  assert.deepEqual(english[0], {
    what: "A key that never leaves the card",
    open: "no",
    why: "Firmware 4.3.5 has no X25519; 5.7 and later have it.",
  });
  assert.match(english[2]?.why ?? "", /it answered 6A81/);
  const japanese = describeCapabilities(card, "ja");
  assert.match(japanese[0]?.why ?? "", /4\.3\.5/);
  assert.ok([...english, ...japanese].every(({ why }) => !/[{}]|undefined/.test(why)));
});

Deno.test("a card is asked without a PIN, and nothing on it changes", async () => {
  const card = new CardInProcess();
  const piv = await selectPiv(card);
  assert.ok(piv);
  const before = card.state;
  const found = await pivFacts(piv);
  assert.equal(card.state, before);
  assert.equal(found.version, "5.7.0");
  assert.deepEqual([found.hasProfile, found.x25519Slot], [false, undefined]);
  const challenge = new Uint8Array(randomBytes(16));
  await piv.authenticateManagement({ key: FACTORY_MANAGEMENT_KEY, challenge });
  await piv.generateKey(0x82, { algorithm: PIV_ALGORITHM.x25519 });
  await piv.putObject(0x5f4001, new Uint8Array(5));
  const later = await pivFacts(piv);
  assert.deepEqual([later.hasProfile, later.x25519Slot], [true, 0x82]);
  // Neither version nor objects: 6D00, then 6A82 for both heads.
  const bare = scripted(...["6d00", "6a82", "6a82"].map((sw) => Uint8Array.fromHex(sw)));
  assert.deepEqual(await pivFacts(new PivClient(bare)), NIST_CARD);
});

Deno.test("trying a card's objects leaves nothing behind and believes no claim", async () => {
  const card = new CardInProcess();
  const piv = await selectPiv(card);
  assert.ok(piv);
  const filling = new Uint8Array(randomBytes(3000));
  assert.equal((await tryObjects(piv, filling)).trial, "refused", "without the management key");
  const challenge = new Uint8Array(randomBytes(16));
  await piv.authenticateManagement({ key: FACTORY_MANAGEMENT_KEY, challenge });
  assert.deepEqual(await tryObjects(piv, filling), { trial: "written" });
  assert.equal(await piv.getObject(0x5f40ff), undefined);
  await assert.rejects(tryObjects(piv, new Uint8Array(10)), RangeError);

  const kept = new Map<number, Uint8Array>();
  const small = {
    getObject: (tag: number) => Promise.resolve(kept.get(tag)),
    putObject(tag: number, value: Uint8Array) {
      if (value.length > 1200) return Promise.reject(new PivRefusedError("full", 0x6a84));
      kept.set(tag, value.slice());
      return Promise.resolve();
    },
  };
  assert.deepEqual(await tryObjects(small, filling), { trial: "too-small", bytes: 1000 });
  const lying = { ...small, putObject: () => Promise.resolve() };
  kept.clear();
  assert.deepEqual(await tryObjects(lying, filling), { trial: "lost" });
});

Deno.test("an OpenPGP card's data tells its ways", async () => {
  const data = (curve: "x25519" | "p256", hasDecryptionKey: boolean) => ({
    applicationData: () =>
      Promise.resolve({
        id: { version: "3.4", manufacturer: "0006", serial: "12345678" },
        capabilities: {
          keyImport: true,
          algorithmsChangeable: false,
          privateObjects: true,
          keyDerivation: false,
          longestPrivateObject: 255,
        },
        passwords: {
          signsSeveral: false,
          longestUserPin: 127,
          triesLeft: { user: 3, resetCode: 0, administrator: 3 },
        },
        signature: { kind: "unknown" as const },
        decryption: { kind: "ecdh" as const, curve },
        authentication: { kind: "unknown" as const },
        hasDecryptionKey,
      }),
  });
  assert.equal(judge(await openPgpFacts(data("x25519", true))).identities[1]?.open, "yes");
  const other = judge(await openPgpFacts(data("p256", true))).identities[1];
  assert.deepEqual([other?.open, other?.reason.key], ["no", "openpgp-key-fixed"]);
  const empty = judge(await openPgpFacts(data("x25519", false))).identities[1];
  assert.equal(empty?.reason.key, "openpgp-key-settable");
});
