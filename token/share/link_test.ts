import assert from "node:assert/strict";
import fc from "fast-check";
import { decodePlace, encodeFrame, encodePlace, LINK, LinkDeframer } from "./link.ts";

Deno.test("link: frames come out as they went in, however they are cut", () => {
  const frames = fc.array(
    fc.record({ kind: fc.nat(255), body: fc.uint8Array({ maxLength: 300 }) }),
    { maxLength: 8 },
  );
  fc.assert(fc.property(frames, fc.integer({ min: 1, max: 50 }), (sent, size) => {
    const stream = sent.flatMap(({ kind, body }) => [...encodeFrame(kind, body)]);
    const deframer = new LinkDeframer();
    const got = [];
    for (let at = 0; at < stream.length; at += size) {
      const out = deframer.push(Uint8Array.from(stream.slice(at, at + size)));
      assert.notEqual(out, "too-long");
      if (out !== "too-long") got.push(...out);
    }
    assert.deepEqual(got, sent.map(({ kind, body }) => ({ kind, body: Uint8Array.from(body) })));
  }));
});

Deno.test("link: nothing longer than a command is waited for", () => {
  for (const head of ["0001000a", "ffffffff", "00000000", "16030100"]) {
    assert.equal(new LinkDeframer().push(Uint8Array.fromHex(head)), "too-long", head);
  }
  assert.deepEqual(
    new LinkDeframer().push(Uint8Array.fromHex("00010009")),
    [],
    "it may still come",
  );
  assert.throws(() => encodeFrame(LINK.command, new Uint8Array(65_545)), RangeError);
});

Deno.test("link: a place in the queue", () => {
  const [frame] = new LinkDeframer().push(encodePlace({ place: 3, holder: "居間の PC" }));
  assert.ok(typeof frame === "object");
  assert.deepEqual(decodePlace(frame.body), { place: 3, holder: "居間の PC" });
  assert.equal(decodePlace(Uint8Array.of(1)), undefined);
});
