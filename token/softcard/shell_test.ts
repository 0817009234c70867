import assert from "node:assert/strict";
import fc from "fast-check";
import { SoftCard } from "./card.ts";
import { answerControl } from "./control.ts";
import { FaultPlan, parseFault } from "./faults.ts";
import { InsertedCard } from "./inserted_card.ts";
import { parseOptions } from "./options.ts";
import { cheapCard, countingCrypto } from "./test_card.ts";
import { Deframer, frame } from "./vpcd_framing.ts";
import { SOFTCARD_ATR, VpcdReader } from "./vpcd_reader.ts";

Deno.test("messages come out as they went in, however the stream is cut", () => {
  fc.assert(fc.property(
    fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 8 }),
    fc.integer({ min: 1, max: 50 }),
    (messages, step) => {
      const stream = Uint8Array.from(messages.flatMap((message) => [...frame(message)]));
      const deframer = new Deframer();
      const found: Uint8Array[] = [];
      for (let at = 0; at < stream.length; at += step) {
        found.push(...deframer.push(stream.subarray(at, at + step)));
      }
      assert.deepEqual(found, messages);
    },
  ));
});

Deno.test("faults hit once, and where they were asked for", () => {
  const plan = new FaultPlan();
  assert.equal(plan.meet(), undefined);
  plan.set({ kind: "pull-at", command: 3 });
  assert.deepEqual([plan.meet(), plan.meet()], [undefined, undefined]);
  assert.equal(plan.meet()?.kind, "pull-at");
  assert.equal(plan.meet(), undefined);
  assert.deepEqual(parseFault(["garbage", "6f00"]), {
    kind: "garbage",
    answer: Uint8Array.of(0x6f, 0),
  });
  for (
    const words of [[], ["pull-at"], ["pull-at", "0"], ["garbage", "6f0"], ["silent", "1"], ["x"]]
  ) {
    assert.equal(parseFault(words), undefined);
  }
});

Deno.test("the control socket's lines steer the card and refuse nonsense", () => {
  const faults = new FaultPlan();
  const card = new InsertedCard(new SoftCard(cheapCard(), countingCrypto()), () => true);
  const reader = new VpcdReader({ card, address: { hostname: "127.0.0.1", port: 1 }, faults });
  const target = { reader, faults, state: () => card.state };
  assert.match(answerControl("status", target), /^ok \{"serial":12345678,"presence":"removed"/);
  assert.equal(answerControl("insert", target), "ok");
  assert.equal(reader.presence, "waiting");
  assert.equal(answerControl("  remove ", target), "ok");
  assert.equal(reader.presence, "removed");
  assert.equal(answerControl("fault pull-at 2", target), "ok");
  assert.equal(faults.waiting?.kind, "pull-at");
  assert.equal(answerControl("fault none", target), "ok");
  assert.equal(faults.waiting, undefined);
  for (const line of ["", "eject", "insert now", "fault", "fault pull-at x"]) {
    assert.match(answerControl(line, target), /^error/);
  }
});

Deno.test("the answer to reset has a right checksum", () => {
  assert.equal(SOFTCARD_ATR.slice(1).reduce((sum, byte) => sum ^ byte, 0), 0);
});

Deno.test("the command line: what it takes, and what it says about mistakes", () => {
  assert.equal(parseOptions(["--help"]), "help");
  assert.deepEqual(parseOptions(["--state", "x", "--vpcd", "[::1]:99", "--serial", "7"]), {
    state: "x",
    vpcd: { hostname: "::1", port: 99 },
    serial: 7,
    removed: false,
  });
  const bad = [
    [],
    ["--state"],
    ["--state", "x", "more"],
    ["--state", "x", "--colour", "red"],
    ["--state", "x", "--vpcd", "nowhere"],
    ["--state", "x", "--vpcd", "host:70000"],
    ["--state", "x", "--pin", "12345"],
    ["--state", "x", "--puk", "123456789"],
    ["--state", "x", "--serial", "-1"],
    ["--state", "x", "--serial", "4294967296"],
  ];
  for (const args of bad) {
    const read = parseOptions(args);
    assert.ok(typeof read === "object" && "problem" in read, args.join(" "));
    assert.match(read.problem, /^Cannot /);
    assert.ok(!read.problem.includes("12345"), "no PIN in a message");
  }
});
