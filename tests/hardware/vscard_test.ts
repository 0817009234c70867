import assert from "node:assert/strict";
import { encodeVsc, initBody, VSC, VscDeframer } from "./vscard.ts";

Deno.test("a card's messages are cut out of a stream, however it comes", () => {
  const body = Uint8Array.of(0x00, 0xa4, 0x04, 0x00);
  const stream = Uint8Array.of(
    ...encodeVsc(VSC.apdu, { reader: 3, body }),
    ...encodeVsc(VSC.cardRemove, { reader: 3 }),
  );
  for (let size = 1; size <= stream.length; size++) {
    const deframer = new VscDeframer();
    const found = [];
    for (let at = 0; at < stream.length; at += size) {
      found.push(...deframer.push(stream.subarray(at, at + size)));
    }
    assert.deepEqual(found, [
      { type: VSC.apdu, reader: 3, body },
      { type: VSC.cardRemove, reader: 3, body: new Uint8Array(0) },
    ], `in pieces of ${size}`);
  }
  assert.throws(() => new VscDeframer().push(new Uint8Array(12).fill(0xff)), RangeError);
});

Deno.test("the first message is as vscard_common.h has it", () => {
  assert.equal(
    encodeVsc(VSC.init, { body: initBody() }).toHex(),
    "00000001ffffffff0000000c" + "56534344" + "00000002" + "00000000",
  );
});
