import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { x25519 } from "@noble/curves/ed25519.js";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { CardInProcess } from "../../tests/token/card_channel.ts";
import { makeAgeKey } from "../profile/age_identity.ts";
import { openContainer, sealContainer, StanzaError } from "../profile/container.ts";
import { cheapCard } from "../softcard/test_card.ts";
import { ageRecipient, openPgpIdentity } from "./age_card.ts";
import { selectOpenPgp } from "./client.ts";
import { PASSWORD } from "./constants.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);

async function cardWithKey(serial: number) {
  const card = await selectOpenPgp(new CardInProcess(cheapCard({ serial })));
  assert.ok(card);
  await card.verifyPin(utf8("12345678"), PASSWORD.administrator);
  const publicKey = await card.generateDecryptionKey();
  await card.verifyPin(utf8("123456"));
  return { card, publicKey };
}

Deno.test("recipients are written as age writes them", async () => {
  for (let i = 0; i < 20; i++) {
    const identity = await generateX25519Identity();
    const recipient = await identityToRecipient(identity);
    assert.match(recipient, /^age1[a-z0-9]{58}$/);
    // The data part without its checksum, five bits a letter, is the key.
    const bits = [...recipient.slice(4, -6)]
      .map((letter) => "qpzry9x8gf2tvdw0s3jn54khce6mua7l".indexOf(letter))
      .map((value) => value.toString(2).padStart(5, "0")).join("");
    const key = Uint8Array.from(
      { length: 32 },
      (_, at) => parseInt(bits.slice(8 * at, 8 * at + 8), 2),
    );
    assert.equal(ageRecipient(key), recipient);
  }
  assert.throws(() => ageRecipient(new Uint8Array(31)), RangeError);
});

Deno.test("what is sealed to the card's recipient opens on the card, and on no other", async () => {
  const { card, publicKey } = await cardWithKey(11111111);
  const { recipient: somebody } = await makeAgeKey();
  const sealed = await sealContainer(utf8("settings"), [somebody, ageRecipient(publicKey)]);
  const opened = await openContainer(sealed, openPgpIdentity(card, publicKey));
  assert.ok(typeof opened === "object");
  assert.equal(new TextDecoder().decode(opened.plaintext), "settings");
  const other = await cardWithKey(22222222);
  const stranger = openPgpIdentity(other.card, other.publicKey);
  assert.equal(await openContainer(sealed, stranger), "no-key");
});

Deno.test("no file makes the card work for long, or look broken", async () => {
  let asked = 0;
  const secret = x25519.utils.randomSecretKey();
  const card = {
    agree: ({ peer }: { peer: Uint8Array }) =>
      Promise.resolve((asked++, x25519.getSharedSecret(secret, peer))),
  };
  const identity = openPgpIdentity(card, x25519.getPublicKey(secret));
  const stanza = (share: Uint8Array, body = new Uint8Array(32)) => ({
    args: ["X25519", share.toBase64({ omitPadding: true })],
    body,
  });
  const point = () => x25519.getPublicKey(new Uint8Array(randomBytes(32)));
  const many = Array.from({ length: 30 }, () => stanza(point()));
  await assert.rejects(identity.unwrapFileKey(many), StanzaError);
  assert.equal(asked, 8);
  for (const bad of [new Uint8Array(32), new Uint8Array(32).fill(0, 1), new Uint8Array(31)]) {
    await assert.rejects(identity.unwrapFileKey([stanza(bad)]), StanzaError);
  }
  await assert.rejects(identity.unwrapFileKey([stanza(point(), new Uint8Array(31))]), StanzaError);
  assert.equal(asked, 8, "the card was not asked");
  assert.equal(
    await identity.unwrapFileKey([{ args: ["scrypt"], body: new Uint8Array(32) }]),
    null,
  );
});
