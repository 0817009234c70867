import assert from "node:assert/strict";
import fc from "fast-check";
import { SoftCard } from "./card.ts";
import { FaultPlan } from "./faults.ts";
import { InsertedCard } from "./inserted_card.ts";
import { cheapCard, countingCrypto } from "./test_card.ts";
import { Deframer, frame } from "./vpcd_framing.ts";
import { SOFTCARD_ATR, VpcdReader } from "./vpcd_reader.ts";

const VERSION = Uint8Array.of(0, 0xfd, 0, 0, 0);

Deno.test("a reader that talks nonsense or hangs up is dialled again, and served", async () => {
  // Bare bytes; and messages, some of them commands and controls, cut off anywhere.
  const message = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.constantFrom(0, 1, 2, 3, 4, 5, 255).map((control) => Uint8Array.of(control)),
    fc.constantFrom("00a4040000", "0020008000", "00cb3fff055c035fc10200", "80").map((digits) =>
      Uint8Array.fromHex(digits)
    ),
  );
  const stream = fc.tuple(fc.array(message, { minLength: 1, maxLength: 6 }), fc.nat({ max: 20 }))
    .map(([messages, cut]) => {
      const whole = messages.flatMap((one) => [...frame(one)]);
      return Uint8Array.from(whole.slice(0, Math.max(1, whole.length - cut)));
    });
  const anything = fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 200 }), stream);
  const nonsense = fc.sample(anything, { numRuns: 60, seed: 1 });
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { card, reader, served } = cardAt(listener.addr.port);
  reader.insert();
  for (const bytes of nonsense) {
    using connection = await listener.accept();
    // Lengths that never fill, controls that nobody knows, commands that are none.
    await connection.write(bytes);
  }
  using connection = await listener.accept();
  const ask = conversation(connection);
  assert.deepEqual(await ask(Uint8Array.of(4)), SOFTCARD_ATR);
  await connection.write(frame(Uint8Array.of(1)));
  assert.deepEqual(await ask(Uint8Array.of(4)), SOFTCARD_ATR);
  assert.equal(reader.presence, "ready");
  assert.deepEqual(await ask(VERSION), Uint8Array.of(5, 7, 0, 0x90, 0));
  assert.equal(card.state.piv.pin.triesLeft, 3);
  reader.stop();
  await served;
});

Deno.test("power off, reset and taking out end a verified PIN", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { reader, served } = cardAt(listener.addr.port);
  reader.insert();
  const verify = Uint8Array.of(
    0,
    0x20,
    0,
    0x80,
    8,
    ...new TextEncoder().encode("123456"),
    255,
    255,
  );
  const query = Uint8Array.of(0, 0x20, 0, 0x80);
  {
    using connection = await listener.accept();
    const ask = conversation(connection);
    for (const control of [0, 1, 2]) {
      assert.deepEqual(await ask(verify), Uint8Array.of(0x90, 0));
      assert.deepEqual(await ask(query), Uint8Array.of(0x90, 0));
      await connection.write(frame(Uint8Array.of(control)));
      assert.deepEqual(await ask(query), Uint8Array.of(0x63, 0xc3));
    }
    assert.deepEqual(await ask(verify), Uint8Array.of(0x90, 0));
    reader.remove();
    reader.insert();
  }
  using again = await listener.accept();
  assert.deepEqual(await conversation(again)(query), Uint8Array.of(0x63, 0xc3));
  reader.stop();
  await served;
});

Deno.test("a reader that takes the card for the former one finds itself empty once", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { reader, served } = cardAt(listener.addr.port);
  reader.insert();
  {
    using connection = await listener.accept();
    const ask = conversation(connection);
    assert.deepEqual(await ask(Uint8Array.of(4)), SOFTCARD_ATR);
    assert.equal(await ask(Uint8Array.of(4)), undefined, "hung up");
    assert.equal(reader.presence, "waiting");
  }
  using connection = await listener.accept();
  const ask = conversation(connection);
  assert.deepEqual(await ask(Uint8Array.of(4)), SOFTCARD_ATR);
  assert.deepEqual(await ask(Uint8Array.of(4)), SOFTCARD_ATR, "and is believed the second time");
  assert.equal(reader.presence, "ready");
  reader.stop();
  await served;
});

function cardAt(port: number): { card: InsertedCard; reader: VpcdReader; served: Promise<void> } {
  const card = new InsertedCard(new SoftCard(cheapCard(), countingCrypto()), () => true);
  const address = { hostname: "127.0.0.1", port };
  const reader = new VpcdReader({ card, address, faults: new FaultPlan() });
  return { card, reader, served: reader.run() };
}

/** Sends one message and takes the next answer; `undefined` when the card hung up. */
function conversation(
  connection: Deno.TcpConn,
): (message: Uint8Array) => Promise<Uint8Array | undefined> {
  const deframer = new Deframer();
  const buffer = new Uint8Array(1024);
  return async (message) => {
    await connection.write(frame(message));
    for (;;) {
      const count = await connection.read(buffer);
      if (count === null) return undefined;
      const [answer] = deframer.push(buffer.subarray(0, count));
      if (answer !== undefined) return answer;
    }
  };
}
