/** The client against exchanges written down from the specification, section 7. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { x25519 } from "@noble/curves/ed25519.js";
import fc from "fast-check";
import { type CardChannel, CardGarbledError, CardRefusedError } from "../apdu/channel.ts";
import { concat, encodeTlv } from "../apdu/tlv.ts";
import { OpenPgpClient, selectOpenPgp } from "./client.ts";
import { PASSWORD, PRIVATE_OBJECT } from "./constants.ts";
import { LARGEST_WRAPPED } from "./limits.ts";
import { unwrapKey, wrapKey } from "./wrapped_key.ts";

const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(" ", ""));
const bytes = (text: string) => new TextEncoder().encode(text);

/** Answers each expected command once, in order; anything else is a failure. */
function recorded(...exchanges: readonly (readonly [command: string, answer: string])[]) {
  const left = [...exchanges];
  const sent: Uint8Array[] = [];
  const channel: CardChannel = {
    transmit(command) {
      sent.push(command);
      const [expected, answer] = left.shift() ?? ["nothing more", ""];
      assert.equal(command.toHex(), expected.replaceAll(" ", "").toLowerCase());
      return Promise.resolve(hex(answer));
    },
  };
  return { channel, sent, left };
}

const SELECT = ["00A40400 06 D27600012401 00", "9000"] as const;
const TRIES = (user: number) => ["00CA00C4 00", `007F7F7F0${user}0003 9000`] as const;
/** 6E of a card without key derivation. */
const PLAIN_6E = concat(
  encodeTlv(0x4f, hex("D2760001240103040006123456780000")),
  encodeTlv(
    0x73,
    concat(
      encodeTlv(0xc0, hex("7C000BFE080000FF0000")),
      encodeTlv(0xc2, hex("122B060104019755010501")),
      encodeTlv(0xc4, hex("007F7F7F030003")),
    ),
  ),
);
const DATA = ["00CA006E 00", `${encodeTlv(0x6e, PLAIN_6E).toHex()} 9000`] as const;

async function opened(...exchanges: readonly (readonly [string, string])[]) {
  const record = recorded(SELECT, ...exchanges);
  const card = await selectOpenPgp(record.channel);
  assert.ok(card);
  return { card, ...record };
}

Deno.test("select and identify", async () => {
  const holder = encodeTlv(0x65, encodeTlv(0x5b, bytes("Doe<<Jane"))).toHex();
  const { card } = await opened(DATA, ["00CA0065 00", `${holder} 9000`]);
  assert.equal(await card.cardId(), "openpgp:0006:12345678");
  assert.equal((await card.cardholder()).display, "Jane Doe");
  for (const answer of ["6A82", "6285", "6D00"]) {
    assert.equal(await selectOpenPgp(recorded([SELECT[0], answer]).channel), undefined, answer);
  }
});

Deno.test("PINs: both uses of PW1, tries from the card, and what was sent is wiped", async () => {
  const { card, sent, left } = await opened(
    ["00200082", "6982"],
    TRIES(3),
    DATA,
    ["00200082 06 313233343536", "63C2"],
    ["00200082 06 313233343536", "6982"],
    TRIES(1),
    ["00200082 06 313233343536", "9000"],
    ["00200082", "9000"],
    ["00200081 06 313233343536", "9000"],
    ["00200082 06 313233343536", "6983"],
    ["00200082", "63C0"],
    TRIES(0),
  );
  const pin = () => bytes("123456");
  assert.deepEqual(await card.pinStatus(), { state: "locked", triesLeft: 3 });
  assert.deepEqual(await card.verifyPin(pin()), { outcome: "wrong", triesLeft: 2 });
  assert.deepEqual(await card.verifyPin(pin()), { outcome: "wrong", triesLeft: 1 });
  assert.deepEqual(await card.verifyPin(pin()), { outcome: "ok" });
  assert.deepEqual(await card.pinStatus(), { state: "verified" });
  assert.deepEqual(await card.verifyPin(pin(), PASSWORD.signing), { outcome: "ok" });
  assert.deepEqual(await card.verifyPin(pin()), { outcome: "blocked" });
  assert.deepEqual(await card.pinStatus(), { state: "blocked" });
  assert.equal(left.length, 0);
  assert.ok(sent.every((command) => command.every((byte) => byte === 0)));
});

Deno.test("a PIN that no card can have is not sent: no try is spent", async () => {
  const { card } = await opened(["0020FF82", "9000"], TRIES(3), ["0020FF83", "9000"], TRIES(3));
  assert.deepEqual(await card.verifyPin(bytes("12345")), { outcome: "wrong", triesLeft: 3 });
  const short = await card.verifyPin(bytes("1234567"), PASSWORD.administrator);
  assert.deepEqual(short, { outcome: "wrong", triesLeft: 3 });
});

Deno.test("a card that wants derived PINs gets no plain one", async () => {
  const with_ = PLAIN_6E.slice();
  const at = with_.indexOf(0x7c, 20);
  with_[at] = 0x7d;
  const kdf = "810103 820108 830400000020 84083031323334353637";
  const all = concat(bytes("01234567123456"), bytes("01234567123456"), bytes("0123"));
  const derived = createHash("sha256").update(all).digest("hex");
  const { card, left } = await opened(
    ["00CA006E 00", `${encodeTlv(0x6e, with_).toHex()} 9000`],
    ["00CA00F9 00", `${kdf} 9000`],
    [`00200082 20 ${derived}`, "9000"],
  );
  assert.deepEqual(await card.verifyPin(bytes("123456")), { outcome: "ok" });
  assert.equal(left.length, 0);

  const { card: greedy, left: rest } = await opened(
    ["00CA006E 00", `${encodeTlv(0x6e, with_).toHex()} 9000`],
    ["00CA00F9 00", `${kdf.replace("00000020", "FFFFFFFF")} 9000`],
  );
  await assert.rejects(greedy.verifyPin(bytes("123456")), CardGarbledError);
  assert.equal(rest.length, 0, "no PIN was sent");
});

Deno.test("changing the PIN", async () => {
  const { card } = await opened(
    DATA,
    ["00240081 0C 313233343536 363534333231", "9000"],
    ["00240081 0C 313233343536 363534333231", "63C1"],
  );
  const pins = () => ({ old: bytes("123456"), new: bytes("654321") });
  assert.deepEqual(await card.changePin(pins()), { outcome: "ok" });
  assert.deepEqual(await card.changePin(pins()), { outcome: "wrong", triesLeft: 1 });
  const short = await card.changePin({ ...pins(), new: bytes("1") });
  assert.deepEqual(short, { outcome: "malformed" });
});

// RFC 7748 section 6.1: Bob's public key, and what it and Alice's agree on.
const BOB_PUBLIC = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f";
const SHARED = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";

Deno.test("X25519 by PSO: DECIPHER, as section 7.2.11 nests it", async () => {
  const { card } = await opened(
    [`002A8086 27 A625 7F4922 8620 ${BOB_PUBLIC} 00`, `${SHARED} 9000`],
    [`002A8086 27 A625 7F4922 8620 ${BOB_PUBLIC} 00`, "6982"],
    [`002A8086 27 A625 7F4922 8620 ${BOB_PUBLIC} 00`, `${"00".repeat(32)} 9000`],
    [`002A8086 27 A625 7F4922 8620 ${BOB_PUBLIC} 00`, `${SHARED}00 9000`],
  );
  const peer = hex(BOB_PUBLIC);
  assert.equal((await card.agree({ peer })).toHex(), SHARED);
  await assert.rejects(card.agree({ peer }), { name: "CardRefusedError", sw: 0x6982 });
  await assert.rejects(card.agree({ peer }), CardGarbledError, "zero");
  await assert.rejects(card.agree({ peer }), CardGarbledError, "33 bytes");
  await assert.rejects(card.agree({ peer: new Uint8Array(31) }), RangeError);
});

Deno.test("the decryption key is read, with and without OpenPGP's own byte, and made", async () => {
  const { card } = await opened(
    ["00478100 02 B800 00", `7F4922 8620 ${BOB_PUBLIC} 9000`],
    ["00478100 02 B800 00", `7F4923 8621 40${BOB_PUBLIC} 9000`],
    ["00478100 02 B800 00", "6A88"],
    ["00478100 02 B800 00", "7F4905 8103010001 9000"],
    ["00DA00C2 0B 122B060104019755010501", "9000"],
    ["00478000 02 B800 00", `7F4922 8620 ${BOB_PUBLIC} 9000`],
    ["00DA00C2 0B 122B060104019755010501", "6982"],
  );
  assert.equal((await card.decryptionKey())?.toHex(), BOB_PUBLIC);
  assert.equal((await card.decryptionKey())?.toHex(), BOB_PUBLIC);
  assert.equal(await card.decryptionKey(), undefined, "none");
  assert.equal(await card.decryptionKey(), undefined, "an RSA key");
  assert.equal((await card.generateDecryptionKey()).toHex(), BOB_PUBLIC);
  await assert.rejects(card.generateDecryptionKey(), CardRefusedError);
});

Deno.test("private objects are read and written", async () => {
  const { card } = await opened(
    ["00DA0103 03 010203", "9000"],
    ["00CA0103 00", "010203 9000"],
    ["00CA0101 00", "9000"],
    ["00CA0104 00", "6982"],
    ["00CA0102 00", "6A88"],
  );
  await card.putData(PRIVATE_OBJECT.third, hex("010203"));
  assert.equal((await card.privateObject(PRIVATE_OBJECT.third))?.toHex(), "010203");
  assert.equal(await card.privateObject(PRIVATE_OBJECT.first), undefined);
  await assert.rejects(card.privateObject(PRIVATE_OBJECT.fourth), CardRefusedError);
  assert.equal(await card.privateObject(PRIVATE_OBJECT.second), undefined);
});

/** What a card does with its key, for wrapping. */
function cardWith(secret: Uint8Array) {
  return {
    agree: ({ peer }: { peer: Uint8Array }) =>
      Promise.resolve(x25519.getSharedSecret(secret, peer)),
  };
}

Deno.test("a wrapped key opens with the card's key, and with no other", async () => {
  const secret = x25519.utils.randomSecretKey();
  const recipient = x25519.getPublicKey(secret);
  for (const length of [16, 32, 64]) {
    const key = new Uint8Array(randomBytes(length));
    const ephemeral = new Uint8Array(randomBytes(32));
    const wrapped = wrapKey(key, { recipient, ephemeral });
    assert.ok(wrapped.length <= LARGEST_WRAPPED);
    assert.ok(ephemeral.every((byte) => byte === 0), "the ephemeral key is wiped");
    const open = (changed: Uint8Array, card = cardWith(secret)) =>
      unwrapKey(card, { bytes: changed, recipient });
    assert.deepEqual(await open(wrapped), { key });
    const other = cardWith(x25519.utils.randomSecretKey());
    assert.equal(await open(wrapped, other), "other-card");
    for (let at = 0; at < wrapped.length; at++) {
      const changed = wrapped.slice();
      changed[at] = (changed[at] ?? 0) ^ 1;
      const result = await open(changed).catch((error) => error);
      assert.ok(typeof result === "string" || result instanceof Error, `byte ${at}`);
      assert.notDeepEqual(await open(wrapped.subarray(0, at)).catch(() => "cut"), { key });
    }
    const newer = wrapped.slice();
    newer[4] = 2;
    assert.equal(await open(newer), "newer-version");
  }
  const ephemeral = () => new Uint8Array(randomBytes(32));
  assert.throws(() => wrapKey(new Uint8Array(8), { recipient, ephemeral: ephemeral() }));
  const nowhere = { recipient: new Uint8Array(32), ephemeral: ephemeral() };
  assert.throws(() => wrapKey(new Uint8Array(16), nowhere), RangeError);
});

Deno.test("whatever a card answers, the client ends in a value or one of its own errors", async () => {
  const answer = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.uint8Array({ maxLength: 60 }).map((data) => concat(data, hex("9000"))),
    fc.uint8Array({ maxLength: 60 }).map((data) => concat(data, hex("6100"))),
    fc.constant(hex(DATA[1])),
  );
  const uses: ((card: OpenPgpClient) => Promise<unknown>)[] = [
    (card) => card.select(),
    (card) => card.cardId(),
    (card) => card.cardholder(),
    (card) => card.pinStatus(),
    (card) => card.verifyPin(bytes("123456")),
    (card) => card.changePin({ old: bytes("123456"), new: bytes("654321") }),
    (card) => card.decryptionKey(),
    (card) => card.generateDecryptionKey(),
    (card) => card.agree({ peer: new Uint8Array(32).fill(9) }),
    (card) => card.privateObject(PRIVATE_OBJECT.third),
  ];
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...uses), fc.array(answer), async (use, answers) => {
      const left = [...answers];
      const channel = { transmit: () => Promise.resolve((left.shift() ?? hex("6F00")).slice()) };
      try {
        await use(new OpenPgpClient(channel));
      } catch (error) {
        const own = error instanceof CardGarbledError || error instanceof CardRefusedError;
        assert.ok(own, String(error));
      }
    }),
    { numRuns: 300 },
  );
});
