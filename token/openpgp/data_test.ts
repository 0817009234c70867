/** Data objects as section 4.4 writes them, and as cards in the field answer them. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { concat, encodeTlv } from "../apdu/tlv.ts";
import { parseAid, parseApplicationData, parseKeyAttributes } from "./application_data.ts";
import { parseCardholder } from "./cardholder.ts";
import { PASSWORD } from "./constants.ts";
import { derivePin, MOST_HASHED, parseKeyDerivation } from "./key_derivation.ts";

const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(" ", ""));
const bytes = (text: string) => new TextEncoder().encode(text);

const AID = "D2760001240103040006123456780000";
/** Extended capabilities of a YubiKey 5: import, private objects, changeable algorithms, KDF. */
const YUBIKEY_C0 = "7D000BFE080000FF0000";

function applicationData(
  parts: { c2?: string; c4?: string; c5?: string; c0?: string; de?: string } = {},
): Uint8Array {
  const details = concat(
    encodeTlv(0xc0, hex(parts.c0 ?? YUBIKEY_C0)),
    encodeTlv(0xc1, hex("16 2B06010401DA470F01")),
    encodeTlv(0xc2, hex(parts.c2 ?? "12 2B060104019755010501")),
    encodeTlv(0xc3, hex("01 0800 0011 00")),
    encodeTlv(0xc4, hex(parts.c4 ?? "00 7F 7F 7F 03 00 02")),
    encodeTlv(0xc5, hex(parts.c5 ?? `${"00".repeat(20)}${"ab".repeat(20)}${"00".repeat(20)}`)),
    encodeTlv(0xcd, new Uint8Array(12)),
    ...(parts.de === undefined ? [] : [encodeTlv(0xde, hex(parts.de))]),
  );
  return encodeTlv(
    0x6e,
    concat(
      encodeTlv(0x4f, hex(AID)),
      encodeTlv(0x5f52, hex("00730000E0059000")),
      encodeTlv(0x7f66, hex("02020BFE02020BFE")),
      encodeTlv(0x73, details),
    ),
  );
}

Deno.test("application data: who the card is, what it can, tries and keys", () => {
  const data = parseApplicationData(applicationData());
  assert.deepEqual(data?.id, { version: "3.4", manufacturer: "0006", serial: "12345678" });
  assert.deepEqual(data?.capabilities, {
    keyImport: true,
    algorithmsChangeable: true,
    privateObjects: true,
    keyDerivation: true,
    longestPrivateObject: 255,
  });
  assert.deepEqual(data?.passwords, {
    signsSeveral: false,
    longestUserPin: 127,
    triesLeft: { user: 3, resetCode: 0, administrator: 2 },
  });
  assert.deepEqual(data?.signature, { kind: "eddsa", curve: "ed25519" });
  assert.deepEqual(data?.decryption, { kind: "ecdh", curve: "x25519" });
  assert.deepEqual(data?.authentication, { kind: "rsa", bits: 2048 });
  assert.equal(data?.hasDecryptionKey, true);
  const none = parseApplicationData(applicationData({ c5: "00".repeat(60) }));
  assert.equal(none?.hasDecryptionKey, false);
  // DE knows better than fingerprints, which whoever makes a key has to write.
  const unnamed = parseApplicationData(
    applicationData({ c5: "00".repeat(60), de: "010002010300" }),
  );
  assert.equal(unnamed?.hasDecryptionKey, true);
  assert.equal(
    parseApplicationData(applicationData({ de: "010002000300" }))?.hasDecryptionKey,
    false,
  );
});

Deno.test("algorithm attributes of every kind, with and without an import format", () => {
  const kinds: [string, object][] = [
    ["12 2B060104019755010501", { kind: "ecdh", curve: "x25519" }],
    ["12 2B060104019755010501 FF", { kind: "ecdh", curve: "x25519" }],
    ["12 2B656E", { kind: "ecdh", curve: "x25519" }],
    ["12 2A8648CE3D030107 00", { kind: "ecdh", curve: "p256" }],
    ["13 2A8648CE3D030107", { kind: "ecdsa", curve: "p256" }],
    ["16 2B06010401DA470F01", { kind: "eddsa", curve: "ed25519" }],
    ["12 2B2403030208010107", { kind: "ecdh", curve: undefined }],
    ["01 1000 0020 00", { kind: "rsa", bits: 4096 }],
    ["99", { kind: "unknown" }],
    ["", { kind: "unknown" }],
  ];
  for (const [attributes, expected] of kinds) {
    assert.deepEqual(parseKeyAttributes(hex(attributes)), expected, attributes);
  }
});

Deno.test("application data that is cut, foreign or lacks a part is refused", () => {
  const good = applicationData();
  for (let length = 0; length < good.length; length++) {
    assert.equal(parseApplicationData(good.subarray(0, length)), undefined, `cut at ${length}`);
  }
  assert.equal(parseApplicationData(concat(good, hex("00"))), undefined);
  assert.equal(parseApplicationData(applicationData({ c4: "007F7F7F0300" })), undefined);
  assert.equal(parseApplicationData(applicationData({ c0: "7D" })), undefined);
  assert.equal(parseAid(hex("D2760001240203040006123456780000")), undefined, "another application");
  assert.equal(parseAid(hex(AID).subarray(0, 15)), undefined);
});

Deno.test("cardholder data: names as people write them", () => {
  const holder = encodeTlv(
    0x65,
    concat(
      encodeTlv(0x5b, bytes("van<Dyke<<Anna<Maria")),
      encodeTlv(0x5f2d, bytes("jaen")),
      encodeTlv(0x5f35, bytes("2")),
    ),
  );
  assert.deepEqual(parseCardholder(holder), {
    name: "van<Dyke<<Anna<Maria",
    display: "Anna Maria van Dyke",
    languages: ["ja", "en"],
  });
  const empty = encodeTlv(0x65, concat(encodeTlv(0x5b, bytes("")), encodeTlv(0x5f2d, bytes("!"))));
  assert.deepEqual(parseCardholder(empty), { name: "", display: "", languages: [] });
  assert.equal(parseCardholder(holder.subarray(1)), undefined);
});

const ITERATED = (count: string) =>
  concat(
    encodeTlv(0x81, hex("03")),
    encodeTlv(0x82, hex("08")),
    encodeTlv(0x83, hex(count)),
    encodeTlv(0x84, hex("3031323334353637")),
    encodeTlv(0x86, hex("4142434445464748")),
  );

Deno.test("derived PINs are RFC 4880's iterated and salted hash", () => {
  const derivation = parseKeyDerivation(ITERATED("00030D40"));
  assert.ok(derivation?.kind === "iterated");
  assert.equal(derivation.count, 200_000);
  const pin = bytes("123456");
  // By the definition, byte by byte.
  const expected = (salt: string, count: number) => {
    const one = concat(bytes(salt), pin);
    const all = Uint8Array.from({ length: count }, (_, index) => one[index % one.length] ?? 0);
    return createHash("sha256").update(all).digest("hex");
  };
  const derived = derivePin(derivation, { password: PASSWORD.user, pin });
  assert.equal(derived.toHex(), expected("01234567", 200_000));
  const admin = derivePin(derivation, { password: PASSWORD.administrator, pin });
  assert.equal(admin.toHex(), expected("ABCDEFGH", 200_000));
  const small = parseKeyDerivation(ITERATED("00000001"));
  assert.ok(small);
  const once = derivePin(small, { password: PASSWORD.user, pin });
  assert.equal(once.toHex(), expected("01234567", 14), "at least one whole copy");
});

Deno.test("a card can't make a program hash for hours, nor hash with what it hasn't", () => {
  assert.ok(parseKeyDerivation(ITERATED(MOST_HASHED.toString(16).padStart(8, "0"))));
  assert.equal(parseKeyDerivation(ITERATED("FFFFFFFF")), undefined);
  assert.deepEqual(parseKeyDerivation(hex("810100")), { kind: "none" });
  assert.deepEqual(parseKeyDerivation(hex("")), { kind: "none" });
  for (const wrong of ["810103", "810107820108", "810103820102", "8101"]) {
    assert.equal(parseKeyDerivation(hex(wrong)), undefined, wrong);
  }
});

Deno.test("any bytes are read or refused without a throw", () => {
  const tag = fc.constantFrom(0x6e, 0x4f, 0x73, 0xc0, 0xc4, 0x65, 0x5b, 0x81, 0x83, 0x84);
  const tlvs = fc.array(fc.tuple(tag, fc.uint8Array({ maxLength: 20 })), { maxLength: 6 })
    .map((list) => concat(...list.map(([one, value]) => encodeTlv(one, value))));
  const input = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    tlvs,
    fc.tuple(tag, tlvs).map(([one, value]) => encodeTlv(one, value)),
  );
  fc.assert(
    fc.property(input, (any) => {
      parseApplicationData(any);
      parseCardholder(any);
      parseKeyDerivation(any);
      parseKeyAttributes(any);
    }),
    { numRuns: 500 },
  );
});
