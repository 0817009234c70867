import assert from "node:assert/strict";
import { x25519 } from "@noble/curves/ed25519.js";
import { CardInProcess } from "../tests/token/card_channel.ts";
import { administer } from "../tests/token/sample.ts";
import { CardRefusedError, type TransmitOptions } from "./apdu/channel.ts";
import { concat, encodeTlv } from "./apdu/tlv.ts";
import { selectOpenPgp } from "./openpgp/client.ts";
import { PASSWORD } from "./openpgp/constants.ts";
import { selectPiv } from "./piv/client.ts";
import { ANSWER_MS, PIV_ALGORITHM, TOUCH_POLICY } from "./piv/constants.ts";
import { touchedOpenPgp, touchedPiv } from "./touch.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const GENERAL_AUTHENTICATE = 0x87;
const DECIPHER = 0x2a;

/** The software card has no button: what a card with one says of two of its keys. */
const TOUCHED: ReadonlyMap<number, number> = new Map([
  [0x82, TOUCH_POLICY.always],
  [0x83, TOUCH_POLICY.cached],
]);
const GET_METADATA = 0xf7;

function metadata(touchPolicy: number): Uint8Array {
  const algorithm = encodeTlv(1, Uint8Array.of(PIV_ALGORITHM.x25519));
  const policies = encodeTlv(2, Uint8Array.of(2, touchPolicy));
  return concat(algorithm, policies, Uint8Array.of(0x90, 0x00));
}

/** A card that keeps what bounds its private operations had, and may refuse them. */
class TimedCard extends CardInProcess {
  readonly bounds: (number | undefined)[] = [];
  readonly asked: number[] = [];
  isIgnored = false;
  /** What GET DATA D7 answers; absent: what the card has. */
  touchFlag: number | undefined;
  override transmit(command: Uint8Array, options: TransmitOptions = {}): Promise<Uint8Array> {
    const [, ins, , p2] = command;
    const policy = ins === GET_METADATA ? TOUCHED.get(p2 ?? 0) : undefined;
    if (ins === GET_METADATA) this.asked.push(p2 ?? 0);
    if (policy !== undefined) return Promise.resolve(metadata(policy));
    if (ins === 0xca && p2 === 0xd7 && this.touchFlag !== undefined) {
      return Promise.resolve(Uint8Array.of(this.touchFlag, 0x20, 0x90, 0x00));
    }
    if (ins === GENERAL_AUTHENTICATE || ins === DECIPHER) {
      this.bounds.push(options.answerMs);
      if (this.isIgnored) return Promise.resolve(Uint8Array.of(0x69, 0x82));
    }
    return super.transmit(command);
  }
}

Deno.test("a key that asks for a touch gets the time for it, and people are told for that long", async () => {
  const card = new TimedCard();
  const piv = await selectPiv(card);
  assert.ok(piv);
  await administer(piv);
  const { x25519: algorithm } = PIV_ALGORITHM;
  for (const slot of [0x82, 0x83, 0x84]) await piv.generateKey(slot, { algorithm });
  await piv.verifyPin(utf8("123456"));
  card.bounds.length = 0;
  card.asked.length = 0;
  const told: boolean[] = [];
  const touched = touchedPiv(piv, (wanted) => told.push(wanted));
  const peer = x25519.getPublicKey(x25519.utils.randomSecretKey());
  for (const slot of [0x82, 0x83, 0x84, 0x82]) await touched.agree(slot, { algorithm, peer });
  assert.deepEqual(card.bounds, [
    ...[ANSWER_MS.touch, ANSWER_MS.touch, undefined, ANSWER_MS.touch],
  ]);
  assert.deepEqual(told, [true, false, true, false, true, false]);
  assert.deepEqual(card.asked, [0x82, 0x83, 0x84], "each key's policy is asked once");

  card.isIgnored = true;
  await assert.rejects(
    touched.agree(0x82, { algorithm, peer }),
    (error) => error instanceof CardRefusedError && /not touched in time/.test(error.message),
  );
  await assert.rejects(touched.agree(0x84, { algorithm, peer }), /asks for its PIN/);
  assert.deepEqual(told.slice(6), [true, false]);
});

Deno.test("an OpenPGP card's decryption key that asks for a touch, and one that has no button", async () => {
  const card = new TimedCard();
  const openPgp = await selectOpenPgp(card);
  assert.ok(openPgp);
  await openPgp.verifyPin(utf8("12345678"), PASSWORD.administrator);
  await openPgp.generateDecryptionKey();
  await openPgp.verifyPin(utf8("123456"));
  const told: boolean[] = [];
  const peer = x25519.getPublicKey(x25519.utils.randomSecretKey());
  for (const flag of [undefined, 0, 1, 2]) {
    card.touchFlag = flag;
    await touchedOpenPgp(openPgp, (wanted) => told.push(wanted)).agree({ peer });
  }
  assert.deepEqual(card.bounds, [undefined, undefined, ANSWER_MS.touch, ANSWER_MS.touch]);
  assert.deepEqual(told, [true, false, true, false]);
});
