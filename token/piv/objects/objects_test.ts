import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { concat, encodeTlv } from "../../apdu/tlv.ts";
import { PIN_REFERENCE } from "../constants.ts";
import { parseApplicationTemplate } from "./application_template.ts";
import { parseCapabilityContainer } from "./capability_container.ts";
import { parseCardHolderId } from "./card_holder_id.ts";
import { LARGEST_CERTIFICATE, parseCertificate } from "./certificate.ts";
import { parseDiscovery } from "./discovery.ts";
import { parseKeyHistory } from "./key_history.ts";

const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(" ", ""));
const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("SELECT's answer: a NIST card's with algorithms, and one without", () => {
  const full = parseApplicationTemplate(hex(
    "6132 4F06000010000100 7907 4F05A000000308 500B 5465737420434152440A00" +
      "AC12 800103 800107 800111 800114 8001E1 060100",
  ));
  assert.equal(full?.label, "Test CARD");
  assert.deepEqual(full.algorithms, [0x03, 0x07, 0x11, 0x14, 0xe1]);
  assert.equal(full.applicationId.toHex(), "000010000100");
  // A YubiKey 4's.
  const bare = parseApplicationTemplate(hex("6111 4F06000010000100 79074F05A000000308"));
  assert.equal(bare?.algorithms, undefined);
  assert.equal(bare?.label, "");
  for (const wrong of ["", "9000", "6111 4F06", "6100 6100", "61 05 4F06000010"]) {
    assert.equal(parseApplicationTemplate(hex(wrong)), undefined, wrong);
  }
});

Deno.test("text of a card carries no control characters and no end", () => {
  const label = bytes(`\u001b[31mred\u202e\u0000${"x".repeat(500)}`);
  const found = parseApplicationTemplate(encodeTlv(0x61, encodeTlv(0x50, label)));
  assert.match(found?.label ?? "", /^\[31mredx{100,128}$/);
});

Deno.test("the discovery object names the holder's PIN", () => {
  const policies: [string, object, number][] = [
    ["4000", { applicationPin: true, globalPin: false, biometric: false }, PIN_REFERENCE.pin],
    ["4010", { applicationPin: true, globalPin: false, biometric: false }, PIN_REFERENCE.pin],
    // Without a global PIN there is nothing to prefer.
    ["4020", { applicationPin: true, globalPin: false, biometric: false }, PIN_REFERENCE.pin],
    ["6010", { applicationPin: true, globalPin: true, biometric: false }, PIN_REFERENCE.pin],
    ["6020", { applicationPin: true, globalPin: true, biometric: false }, PIN_REFERENCE.global],
    ["7020", { applicationPin: true, globalPin: true, biometric: true }, PIN_REFERENCE.global],
    ["2000", { applicationPin: false, globalPin: true, biometric: false }, PIN_REFERENCE.global],
  ];
  const object = (policy: string) => hex(`7E12 4F0BA000000308000010000100 5F2F02${policy}`);
  for (const [policy, accepts, primary] of policies) {
    const found = parseDiscovery(object(policy));
    assert.deepEqual(found?.accepts, accepts, policy);
    assert.equal(found?.primary, primary, policy);
  }
  const good = object("4000");
  for (let length = 0; length < good.length; length++) {
    assert.equal(parseDiscovery(good.subarray(0, length)), undefined, `cut after ${length}`);
  }
  assert.equal(parseDiscovery(concat(good, hex("00"))), undefined, "followed by a byte");
  assert.equal(parseDiscovery(hex("7E05 5F2F024000")), undefined, "no identifier");
  assert.equal(parseDiscovery(hex("7E11 4F0BA000000308000010000100 5F2F0140")), undefined);
});

Deno.test("the CHUID: a whole one, one without a GUID, one with nonsense inside", () => {
  const guid = "00112233445566778899aabbccddeeff";
  const whole = hex(
    `3019 ${"d4".repeat(25)} 3410 ${guid} 3508 ${bytes("20301231").toHex()} ` +
      `3610 ${"ab".repeat(16)} 3E02 0102 FE00`,
  );
  const found = parseCardHolderId(whole);
  assert.equal(found?.guid?.toHex(), guid);
  assert.equal(found?.fascN?.length, 25);
  assert.equal(found?.holderUuid?.toHex(), "ab".repeat(16));
  assert.equal(found?.expires, "20301231");
  assert.equal(found?.hasSignature, true);
  const zero = parseCardHolderId(hex(`3410 ${"00".repeat(16)} 3508 ${"ff".repeat(8)} 3E00`));
  assert.deepEqual([zero?.guid, zero?.expires, zero?.hasSignature], [undefined, "", false]);
  assert.equal(parseCardHolderId(hex("3411 00"))?.guid, undefined);
  assert.equal(parseCardHolderId(whole.subarray(0, 40)), undefined, "cut");
});

Deno.test("capability container and key history", () => {
  const identifier = `A000000116FF02 ${"0f".repeat(14)}`;
  const container = parseCapabilityContainer(hex(`F015 ${identifier} F10121 F50110 FE00`));
  assert.equal(container?.cardIdentifier?.length, 21);
  assert.equal(container?.dataModel, 16);
  assert.equal(parseCapabilityContainer(hex("F001 00"))?.cardIdentifier, undefined);
  const history = parseKeyHistory(hex(`C10102 C20101 F309 ${bytes("http://x/").toHex()} FE00`));
  assert.deepEqual(history, { withCertificate: 2, withoutCertificate: 1, url: "http://x/" });
  assert.equal(parseKeyHistory(hex("C10114 C20101 FE00")), undefined, "21 of 20 keys");
  assert.equal(parseKeyHistory(hex("C10102 FE00")), undefined);
});

const certificate = encodeTlv(0x30, new Uint8Array(1200).fill(7));
const object = (packed: Uint8Array, info: number) =>
  concat(encodeTlv(0x70, packed), encodeTlv(0x71, Uint8Array.of(info)), encodeTlv(0xfe, hex("")));

Deno.test("certificates: plain, compressed, and what is none", () => {
  const plain = parseCertificate(object(certificate, 0));
  assert.ok(plain.result === "ok" && !plain.compressed);
  assert.deepEqual(plain.der, certificate);
  const packed = parseCertificate(object(gzipSync(certificate), 1));
  assert.ok(packed.result === "ok" && packed.compressed);
  assert.deepEqual(packed.der, certificate);
  // SP 800-73-4 lets the coding be left out.
  assert.equal(parseCertificate(encodeTlv(0x70, certificate)).result, "ok");

  const faults: [string, Uint8Array, string][] = [
    ["empty", new Uint8Array(0), "malformed"],
    ["no certificate", encodeTlv(0x71, hex("00")), "malformed"],
    ["a compression that doesn't exist", object(certificate, 2), "malformed"],
    ["said to be compressed", object(certificate, 1), "malformed"],
    ["cut in its compression", object(gzipSync(certificate).subarray(0, 12), 1), "malformed"],
    ["cut", object(certificate, 0).subarray(0, 500), "malformed"],
    ["longer than it says", object(concat(certificate, hex("00")), 0), "not-a-certificate"],
    ["no sequence", object(encodeTlv(0x31, hex("00")), 0), "not-a-certificate"],
    ["too long", object(encodeTlv(0x30, new Uint8Array(LARGEST_CERTIFICATE)), 0), "too-long"],
  ];
  for (const [name, content, fault] of faults) {
    assert.deepEqual(parseCertificate(content), { result: "fault", fault }, name);
  }
});

Deno.test("a certificate that unpacks to 64 MiB is refused, and the memory is not taken", () => {
  const bomb = object(gzipSync(new Uint8Array(64 << 20), { level: 9 }), 1);
  assert.ok(bomb.length < 70_000);
  const before = Deno.memoryUsage();
  assert.deepEqual(parseCertificate(bomb), { result: "fault", fault: "too-long" });
  const grown = Deno.memoryUsage().external - before.external;
  assert.ok(grown < 8 << 20, `${grown} bytes more`);
});

Deno.test("any bytes are read or refused without a throw", () => {
  const parsers = [
    parseApplicationTemplate,
    parseCapabilityContainer,
    parseCardHolderId,
    parseCertificate,
    parseDiscovery,
    parseKeyHistory,
  ];
  const tag = fc.constantFrom(0x34, 0x4f, 0x5f2f, 0x61, 0x70, 0x71, 0x7e, 0xac, 0xc1, 0xf0);
  const tlvs = fc.array(fc.tuple(tag, fc.uint8Array({ maxLength: 40 })), { maxLength: 6 })
    .map((list) => concat(...list.map(([one, value]) => encodeTlv(one, value))));
  const input = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    tlvs,
    fc.tuple(tag, tlvs).map(([one, value]) => encodeTlv(one, value)),
  );
  fc.assert(
    fc.property(input, (any) => {
      for (const parse of parsers) parse(any);
    }),
    { numRuns: 500 },
  );
});
