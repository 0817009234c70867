import assert from "node:assert/strict";
import fc from "fast-check";
import { chain, command, encodeCommand, parseCommand } from "./command.ts";
import { encodeResponse, parseResponse } from "./response.ts";
import { triesLeft } from "./status.ts";
import { encodeTlv, parseTlvs } from "./tlv.ts";

const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(" ", ""));

Deno.test("command APDUs: the seven forms of ISO 7816-4 figure 5", () => {
  const forms: [string, number, number, boolean][] = [
    ["00A40400", 0, 0, false],
    ["00A4040005", 0, 5, false],
    ["00A4040000", 0, 256, false],
    ["00A4040002 AABB", 2, 0, false],
    ["00A4040002 AABB 00", 2, 256, false],
    ["00A40400 00 0100", 0, 256, true],
    ["00A40400 00 0002 AABB", 2, 0, true],
    ["00A40400 00 0002 AABB 0000", 2, 65536, true],
  ];
  for (const [raw, nc, ne, extended] of forms) {
    const parsed = parseCommand(hex(raw));
    assert.ok(typeof parsed === "object", raw);
    assert.deepEqual([parsed.data.length, parsed.ne, parsed.extended], [nc, ne, extended], raw);
    assert.deepEqual(encodeCommand(parsed), hex(raw), raw);
  }
  assert.equal(parseCommand(hex("00A404")), "too short");
  assert.equal(parseCommand(hex("00A4040003AABB")), "wrong length");
  assert.equal(parseCommand(hex("00A40400000002AA")), "wrong length");
  assert.equal(parseCommand(hex("00A404000000")), "wrong length");
});

Deno.test("chaining splits long data and marks all but the last", () => {
  const data = new Uint8Array(600).map((_, i) => i);
  const parts = chain(command({ ins: 0xdb, p1: 0x3f, p2: 0xff }, { data }));
  assert.deepEqual(parts.map((part) => [part.cla, part.data.length]), [[0x10, 255], [0x10, 255], [
    0,
    90,
  ]]);
  assert.deepEqual(parts.flatMap((part) => [...part.data]), [...data]);
});

Deno.test("any bytes: parsing a command never throws, and what parses encodes back", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (raw) => {
    const parsed = parseCommand(raw);
    if (typeof parsed === "object") assert.deepEqual(encodeCommand(parsed), raw);
  }));
});

Deno.test("responses and tries", () => {
  assert.deepEqual(parseResponse(encodeResponse(0x63c2, hex("01"))), {
    data: hex("01"),
    sw: 0x63c2,
  });
  assert.equal(parseResponse(hex("90")), undefined);
  assert.equal(triesLeft(0x63c2), 2);
  assert.equal(triesLeft(0x6982), undefined);
});

Deno.test("TLV: round trip, and any bytes are read or refused without a throw", () => {
  const tag = fc.constantFrom(0x53, 0x7c, 0x7e, 0x5fc102, 0x5f49, 0x7f49);
  fc.assert(fc.property(fc.array(fc.tuple(tag, fc.uint8Array({ maxLength: 400 }))), (objects) => {
    const bytes = new Uint8Array(objects.flatMap(([t, value]) => [...encodeTlv(t, value)]));
    assert.deepEqual(parseTlvs(bytes), objects.map(([t, value]) => ({ tag: t, value })));
  }));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
    parseTlvs(bytes);
  }));
  assert.equal(parseTlvs(hex("53 05 01")), undefined);
  assert.equal(parseTlvs(hex("53 80 01")), undefined);
  assert.equal(parseTlvs(hex("53 83 000001 01")), undefined);
});
