import assert from "node:assert/strict";
import fc from "fast-check";
import type { SealedPin } from "../view.ts";
import type { EngineRun, ReaderState, SessionCommand, SessionEvent } from "./events.ts";
import type { Grant } from "./grant.ts";
import * as limits from "./limits.ts";
import { SessionCore } from "./session.ts";

const DAY = 86_400_000;
const phaseOf = (core: SessionCore): string => core.phase.phase;
const deadlineOf = (core: SessionCore): number | undefined => core.deadline;
const run = (n: number) => n as EngineRun;
const reader = (card: ReaderState["card"], counter = 1): SessionEvent => ({
  type: "readers",
  readers: [{ name: "R", card, counter }],
});
const hello = (n: number): SessionEvent => ({
  type: "engine-hello",
  run: run(n),
  engine: `e${n}`,
  publicKey: new Uint8Array(32),
});
const asked = (n: number): SessionEvent => ({
  type: "engine-card",
  run: run(n),
  report: { card: "pin-asked", holder: "Hana", triesLeft: 3, expiresAt: DAY },
});
const sealed = (n: number): SealedPin => ({
  engine: `e${n}`,
  enc: new Uint8Array(32),
  ciphertext: new Uint8Array(22),
});
const pin = (n: number, ticket = 1): SessionEvent => ({
  type: "pin",
  ticket,
  from: "192.0.2.9",
  sealed: sealed(n),
});
const grant: Grant = {
  holder: "Hana",
  cardId: "p",
  generation: 1,
  expiresAt: DAY,
  interface: "sekisho0",
  identity: "sealed",
  addresses: ["10.77.0.2/32"],
  mtu: 1420,
  dns: [],
  networks: ["10.9.0.0/16"],
  domains: [],
  otherTraffic: "drop",
  endpoints: ["203.0.113.1:51820"],
};
const types = (commands: SessionCommand[]) =>
  commands.filter((one) => one.type !== "journal").map((one) => one.type);

function drive(core: SessionCore, ...events: SessionEvent[]): SessionCommand[] {
  return events.flatMap((event) => core.handle(event, 0));
}

function upCore(): SessionCore {
  const core = new SessionCore();
  drive(core, reader("present"), hello(1), asked(1), pin(1));
  drive(core, { type: "engine-grant", run: run(1), grant }, { type: "grant-applied", run: run(1) });
  assert.equal(phaseOf(core), "up");
  return core;
}

Deno.test("card in, wrong PIN, right PIN, up, card out", () => {
  const core = new SessionCore();
  assert.equal(phaseOf(core), "no-reader");
  drive(core, reader("absent", 0));
  assert.equal(phaseOf(core), "no-card");
  assert.deepEqual(types(drive(core, reader("present"))), ["start-engine", "phase"]);
  drive(core, hello(1), asked(1));
  assert.equal(core.pinTarget?.engine, "e1");
  assert.deepEqual(types(drive(core, pin(1))), ["relay-pin", "phase"]);
  assert.equal(core.pinTarget, undefined);
  const wrong = drive(core, {
    type: "engine-unlock-failed",
    run: run(1),
    why: { failure: "wrong-pin", triesLeft: 2 },
  });
  assert.deepEqual(types(wrong), ["answer-pin", "phase"]);
  assert.deepEqual({ ...core.phase }, {
    phase: "pin-asked",
    holder: "Hana",
    triesLeft: 2,
    wrong: true,
  });
  drive(core, pin(1, 2));
  assert.deepEqual(types(drive(core, { type: "engine-grant", run: run(1), grant })), [
    "apply-grant",
  ]);
  const applied = drive(core, { type: "grant-applied", run: run(1) });
  assert.deepEqual(types(applied), ["answer-pin", "phase"]);
  const out = drive(core, reader("absent", 2));
  assert.deepEqual(types(out), ["revoke-grant", "end-engine", "phase"]);
  assert.equal(phaseOf(core), "no-card");
  assert.equal(deadlineOf(core), limits.ENGINE_END_MS);
  assert.deepEqual(types(core.handle({ type: "tick" }, limits.ENGINE_END_MS)), ["kill-engine"]);
  drive(core, { type: "engine-ended", run: run(1), reason: "killed" });
  assert.deepEqual(types(drive(core, reader("present", 3))), ["start-engine", "phase"]);
});

Deno.test("a passkey of another profile costs the card no try, and the page is asked again", () => {
  const core = new SessionCore();
  const passkey = { nonce: "AAAAAAAAAAAAAAAAAAAAAA", opens: true, mayAdd: false };
  const report = {
    card: "pin-asked",
    holder: "Hana",
    triesLeft: 1,
    expiresAt: DAY,
    passkey,
  } as const;
  drive(core, reader("present"), hello(1), { type: "engine-card", run: run(1), report });
  assert.deepEqual(core.pinTarget?.passkey, passkey);
  const used = { ...sealed(1), way: "passkey" } as const;
  const from = "192.0.2.9";
  const sent = drive(core, { type: "pin", ticket: 1, from, sealed: used });
  assert.deepEqual(types(sent), ["relay-pin", "phase"]);
  // A second one waits; only one try is left, and a passkey doesn't spend it.
  drive(core, { type: "pin", ticket: 2, from: "192.0.2.10", sealed: used });
  const why = { failure: "wrong-passkey", triesLeft: 4 } as const;
  const told = drive(core, { type: "engine-unlock-failed", run: run(1), why });
  assert.deepEqual(types(told), ["answer-pin", "relay-pin"]);
  const again = drive(core, { type: "engine-unlock-failed", run: run(1), why });
  assert.deepEqual(again.find(({ type }) => type === "answer-pin"), {
    ...{ type: "answer-pin", ticket: 2 },
    outcome: { outcome: "wrong-passkey", triesLeft: 4 },
  });
  assert.deepEqual({ ...core.phase }, {
    ...{ phase: "pin-asked", holder: "Hana", triesLeft: 1, wrong: false },
  });
});

Deno.test("the engine sees the card go before the reader's report: no new engine meanwhile", () => {
  const core = upCore();
  const gone = drive(core, { type: "engine-card-gone", run: run(1) });
  assert.deepEqual(types(gone), ["revoke-grant", "end-engine", "phase"]);
  assert.equal(phaseOf(core), "no-card");
  assert.deepEqual(types(drive(core, { type: "engine-ended", run: run(1), reason: "card" })), []);
  assert.deepEqual(types(drive(core, reader("absent", 2))), []);
  assert.equal(phaseOf(core), "no-card");
});

Deno.test("a card that waits in another reader has its turn when the session's is gone", () => {
  const beside = (...session: ReaderState[]): SessionEvent => ({
    type: "readers",
    readers: [...session, { name: "S", card: "present", counter: 1 }],
  });
  const gone: SessionEvent = { type: "engine-card-gone", run: run(1) };
  const ended: SessionEvent = { type: "engine-ended", run: run(1), reason: "exit 0" };
  for (const after of [beside(), beside({ name: "R", card: "absent", counter: 2 })]) {
    const orders: SessionEvent[][] = [[after, ended], [gone, after, ended], [gone, ended, after]];
    for (const order of orders) {
      const core = upCore();
      assert.deepEqual(types(drive(core, beside({ name: "R", card: "present", counter: 1 }))), []);
      const starts = drive(core, ...order).filter((one) => one.type === "start-engine");
      assert.deepEqual(starts, [{ type: "start-engine", run: run(2), reader: "S" }]);
      assert.equal(phaseOf(core), "reading");
    }
  }
});

Deno.test("a card taken out and put back between two looks ends the session", () => {
  const core = upCore();
  assert.deepEqual(types(drive(core, reader("present", 3))), [
    "revoke-grant",
    "end-engine",
    "phase",
  ]);
  const next = drive(core, { type: "engine-ended", run: run(1), reason: "told" });
  assert.deepEqual(types(next), ["start-engine", "phase"]);
});

Deno.test("expired, blocked and refused cards end their engine and stay so until they leave", () => {
  const reports = [
    { card: "expired", holder: "H", expiredAt: 5 },
    { card: "blocked", holder: "H" },
    { card: "refused", fault: "forged" },
  ] as const;
  for (const report of reports) {
    const core = new SessionCore();
    drive(core, reader("present"), hello(1), { type: "engine-card", run: run(1), report });
    drive(core, { type: "engine-ended", run: run(1), reason: "told" });
    assert.equal(phaseOf(core), report.card);
    assert.equal(deadlineOf(core), undefined);
    assert.deepEqual(types(drive(core, reader("absent", 2))), ["phase"]);
  }
});

Deno.test("where the user id is asked for, a wrong one and a wrong PIN have one answer", () => {
  const failures = ["wrong-pin", "wrong-id"] as const;
  const told = failures.map((failure) => {
    const core = new SessionCore();
    drive(core, reader("present"), hello(1), {
      type: "engine-card",
      run: run(1),
      report: {
        ...{ card: "pin-asked", holder: "Hana", triesLeft: 3, expiresAt: DAY },
        asksUserId: true,
      },
    }, pin(1));
    assert.deepEqual({ ...core.phase }, { phase: "unlocking", holder: "Hana", asksUserId: true });
    const triesLeft = failure === "wrong-pin" ? 2 : 3;
    const out = drive(core, {
      type: "engine-unlock-failed",
      run: run(1),
      why: { failure, triesLeft },
    });
    assert.deepEqual({ ...core.phase }, {
      ...{ phase: "pin-asked", holder: "Hana", triesLeft, wrong: true, asksUserId: true },
    }, "the administrator sees the token's own count");
    const journal = out.flatMap((one) => one.type === "journal" ? [one.event] : []);
    assert.deepEqual(journal, [failure === "wrong-pin" ? "pin-wrong" : "user-id-wrong"]);
    return out.filter(({ type }) => type === "answer-pin");
  });
  assert.deepEqual(told[0], [{
    type: "answer-pin",
    ticket: 1,
    outcome: { outcome: "wrong-id-or-pin" },
  }]);
  assert.deepEqual(told[1], told[0]);
});

Deno.test("PINs: nobody's turn, another engine's, and while one runs", () => {
  const core = new SessionCore();
  const outcome = (commands: SessionCommand[]) =>
    commands.flatMap((one) => one.type === "answer-pin" ? [one.outcome.outcome] : []);
  assert.deepEqual(outcome(drive(core, pin(0))), ["not-asked"]);
  drive(core, reader("present"), hello(1), asked(1));
  assert.deepEqual(outcome(drive(core, pin(7))), ["stale"]);
  drive(core, pin(1));
  assert.deepEqual(outcome(drive(core, pin(1, 2))), ["busy"]);
  assert.deepEqual(outcome(drive(core, reader("absent", 2))), ["card-gone"]);
});

Deno.test("a card that wants to be touched says so, and gets the time", () => {
  const core = new SessionCore();
  drive(core, reader("present"), hello(1), asked(1));
  drive(core, { type: "engine-touch", run: run(1), wanted: true });
  assert.equal(phaseOf(core), "pin-asked", "only while a PIN is tried");
  drive(core, pin(1));
  const late = limits.UNLOCK_MS - 1;
  const told = core.handle({ type: "engine-touch", run: run(1), wanted: true }, late);
  assert.deepEqual(types(told), ["phase"]);
  assert.deepEqual({ ...core.phase }, { phase: "unlocking", holder: "Hana", touch: true });
  assert.equal(deadlineOf(core), late + limits.TOUCH_MS);
  core.handle({ type: "engine-touch", run: run(1), wanted: false }, late + 5);
  assert.deepEqual({ ...core.phase }, { phase: "unlocking", holder: "Hana" });
  assert.deepEqual(types(core.handle({ type: "tick" }, late + 6)), []);
  assert.equal(phaseOf(core), "unlocking");
  core.handle({ type: "tick" }, late + limits.TOUCH_MS);
  assert.equal(phaseOf(core), "failed");
});

Deno.test("a right PIN doesn't fail because the box is busy: its page is told, and the wait is bounded", () => {
  const core = new SessionCore();
  drive(core, reader("present"), hello(1), asked(1));
  const goesOn = { type: "engine-unlock-goes-on", run: run(1) } as const;
  drive(core, goesOn);
  assert.equal(phaseOf(core), "pin-asked", "only while a PIN is tried");
  drive(core, pin(1));
  let now = 0;
  for (; now < limits.UNLOCK_LONGEST_MS - 5_000; now += 5_000) {
    core.handle(goesOn, now);
    assert.deepEqual(types(core.handle({ type: "tick" }, now)), []);
  }
  assert.deepEqual({ ...core.phase }, { phase: "unlocking", holder: "Hana", slow: true });
  const up = new SessionCore();
  drive(up, reader("present"), hello(1), asked(1), pin(1));
  up.handle(goesOn, limits.UNLOCK_MS - 1);
  assert.deepEqual(types(up.handle({ type: "tick" }, limits.UNLOCK_MS + 1)), []);
  const granted = up.handle({ type: "engine-grant", run: run(1), grant }, limits.UNLOCK_MS + 2);
  assert.deepEqual(types(granted), ["apply-grant", "phase"]);
  assert.deepEqual({ ...up.phase }, { phase: "unlocking", holder: "Hana" });
  // An engine that goes on for ever doesn't hold the page for ever.
  core.handle(goesOn, now);
  assert.equal(deadlineOf(core), limits.UNLOCK_LONGEST_MS);
  core.handle({ type: "tick" }, limits.UNLOCK_LONGEST_MS);
  assert.equal(phaseOf(core), "failed");
});

Deno.test("a lost engine: grant revoked, engine restarted, held back when it goes on", () => {
  const core = upCore();
  const lost = drive(core, { type: "engine-ended", run: run(1), reason: "signal 9" });
  assert.deepEqual(types(lost), ["revoke-grant", "start-engine", "phase"]);
  drive(core, { type: "engine-ended", run: run(2), reason: "signal 9" });
  drive(core, { type: "engine-ended", run: run(3), reason: "signal 9" });
  assert.equal(phaseOf(core), "failed");
  assert.deepEqual(types(core.handle({ type: "tick" }, limits.CRASH_PAUSE_MS)), [
    "start-engine",
    "phase",
  ]);
});

Deno.test("every wait is bounded", () => {
  const core = new SessionCore();
  drive(core, reader("present"));
  assert.equal(deadlineOf(core), limits.CARD_REPORT_MS);
  assert.deepEqual(types(core.handle({ type: "tick" }, limits.CARD_REPORT_MS)), [
    "end-engine",
    "phase",
  ]);
  const other = new SessionCore();
  drive(other, reader("present"), hello(1), asked(1), pin(1));
  const late = other.handle({ type: "tick" }, limits.UNLOCK_MS);
  assert.deepEqual(types(late), ["answer-pin", "end-engine", "phase"]);
  assert.equal(phaseOf(other), "failed");
});

Deno.test("the profile's expiry ends a running session", () => {
  const core = upCore();
  assert.equal(deadlineOf(core), undefined);
  assert.equal(core.expiry, DAY);
  assert.deepEqual(types(core.handle({ type: "tick" }, DAY)), [
    "revoke-grant",
    "end-engine",
    "phase",
  ]);
  assert.equal(phaseOf(core), "expired");
});

Deno.test("a profile that is taken back ends what it has begun, and stays refused", () => {
  const asking = new SessionCore();
  drive(asking, reader("present"), hello(1), asked(1));
  const waiting = new SessionCore();
  drive(waiting, reader("present"), hello(1), asked(1), pin(1));
  for (const core of [upCore(), asking, waiting]) {
    const wasUp = phaseOf(core) === "up";
    const out = drive(core, { type: "revoked", run: run(1), reason: "lost" });
    assert.deepEqual(types(out), [
      ...(wasUp ? ["revoke-grant"] : []),
      ...(core === waiting ? ["answer-pin"] : []),
      ...["end-engine", "phase"],
    ]);
    assert.deepEqual({ ...core.phase }, { phase: "refused", fault: "revoked" });
    assert.equal(core.pinTarget, undefined);
    drive(core, { type: "engine-ended", run: run(1), reason: "exit 0" });
    assert.deepEqual({ ...core.phase }, { phase: "refused", fault: "revoked" });
    assert.deepEqual(drive(core, { type: "revoked", run: run(1), reason: "lost" }), []);
    drive(core, reader("absent", 2));
    assert.equal(phaseOf(core), "no-card");
  }
});

Deno.test("an administrator's lock asks for the PIN anew", () => {
  const core = upCore();
  assert.deepEqual(types(drive(core, { type: "lock", by: "admin" })), [
    "revoke-grant",
    "end-engine",
    "phase",
  ]);
  const again = drive(core, { type: "engine-ended", run: run(1), reason: "told" });
  assert.deepEqual(types(again), ["start-engine"]);
});

Deno.test("a machine that slept asks for the PIN anew, also one that waited for it", () => {
  const slept: SessionEvent = { type: "engine-slept", run: run(1), sleptMs: 3_600_000 };
  const up = drive(upCore(), slept);
  assert.deepEqual(types(up), ["revoke-grant", "end-engine", "phase"]);
  assert.deepEqual(up[0], {
    ...{ type: "journal", level: "info", event: "machine-slept" },
    detail: { sleptMs: 3_600_000 },
  });

  const core = new SessionCore();
  drive(core, reader("present"), hello(1), asked(1), pin(1, 7));
  const trying = drive(core, slept);
  assert.deepEqual(trying.find(({ type }) => type === "answer-pin"), {
    ...{ type: "answer-pin", ticket: 7, outcome: { outcome: "card-gone" } },
  });
  // It ends by itself, before it is told to: that is no crash.
  const again = drive(core, { type: "engine-ended", run: run(1), reason: "exit 0" });
  assert.deepEqual(types(again), ["start-engine"]);
  assert.ok(!again.some((one) => one.type === "journal" && one.event === "engine-lost"));
  // What an engine of before says late is of no concern to the one that runs.
  assert.deepEqual(drive(core, slept), []);
});

/** Any order of events; what must hold is checked after each. */
Deno.test("whatever happens: one engine, no grant without it, each PIN answered once", () => {
  const kinds = fc.constantFrom(
    ...["in", "out", "swap", "hello", "asked", "expired", "pin", "wrong", "blocked", "grant"],
    ...["pin", "waits", "begins", "given-up", "give-up", "tries", "last-try", "goes-on"],
    ...["applied", "not-applied", "gone", "ended", "lock", "revoked", "slept"],
    ...["tick", "mute", "none"],
  );
  fc.assert(
    fc.property(fc.array(kinds, { maxLength: 60 }), (story) => {
      const core = new SessionCore();
      let now = 0;
      let counter = 0;
      let ticket = 0;
      const engines = new Set<number>();
      let newest = 0;
      let granted = 0;
      const open = new Set<number>();
      const relayed = new Map<SealedPin, number>();
      for (const kind of story) {
        now += 10;
        const event = make(kind);
        if (event.type === "engine-ended") {
          if (!engines.has(event.run)) continue; // only a living engine can end
          engines.delete(event.run);
        }
        for (const command of core.handle(event, now)) apply(command);
        assert.ok(engines.size <= 1, "one engine at a time");
        if (granted) assert.ok(engines.has(granted), "a grant only with its engine");
        if (phaseOf(core) === "up") assert.ok(granted, "up only with a grant");
        assert.ok(open.size <= 1 + limits.PINS_WAITING, "as many wait as may");
        const { phase } = core.phase;
        const isTrying = phase === "unlocking" || phase === "suspended";
        assert.ok(open.size === 0 || isTrying, "none waits for nothing");
      }
      // Left alone, everything ends within its bounds.
      for (let i = 0; i < 10 && open.size > 0; i++) {
        const due = core.deadline ?? core.expiry;
        if (due === undefined) break;
        now = Math.max(now, due);
        for (const command of core.handle({ type: "tick" }, now)) apply(command);
      }
      assert.equal(open.size, 0, "every PIN answered");

      function apply(command: SessionCommand): void {
        if (command.type === "start-engine") engines.add(newest = command.run);
        if (command.type === "apply-grant") granted = command.run;
        if (command.type === "revoke-grant") granted = 0;
        if (command.type === "relay-pin") {
          relayed.set(command.sealed, (relayed.get(command.sealed) ?? 0) + 1);
        }
        if (command.type === "answer-pin") {
          assert.ok(open.delete(command.ticket), "answered once");
        }
        assert.ok([...relayed.values()].every((times) => times === 1), "relayed once");
      }

      function make(kind: string): SessionEvent {
        const n = newest;
        switch (kind) {
          case "in":
            return reader("present", counter);
          case "out":
            return reader("absent", ++counter);
          case "swap":
            return reader("present", counter += 2);
          case "mute":
            return reader("mute", ++counter);
          case "none":
            return { type: "readers", readers: [] };
          case "hello":
            return hello(n);
          case "asked":
            return asked(n);
          case "expired":
            return {
              type: "engine-card",
              run: run(n),
              report: { card: "expired", holder: "H", expiredAt: 1 },
            };
          case "pin":
            open.add(++ticket);
            return { ...pin(n, ticket), from: `192.0.2.${ticket % 4}` } as SessionEvent;
          case "goes-on":
            return { type: "engine-unlock-goes-on", run: run(n) };
          case "waits":
            return { type: "engine-pin-waits", run: run(n), label: "L", leftMs: 60_000 };
          case "begins":
            return { type: "engine-pin-begins", run: run(n) };
          case "given-up":
            return { type: "engine-unlock-failed", run: run(n), why: { failure: "given-up" } };
          case "give-up":
            return { type: "pin-given-up", from: `192.0.2.${ticket % 4}` };
          case "tries":
            return { type: "engine-tries", run: run(n), triesLeft: ticket % 4 };
          case "last-try":
            return {
              type: "engine-unlock-failed",
              run: run(n),
              why: { failure: "last-try", triesLeft: 1 },
            };
          case "wrong":
            return {
              type: "engine-unlock-failed",
              run: run(n),
              why: { failure: "wrong-pin", triesLeft: 1 },
            };
          case "blocked":
            return { type: "engine-unlock-failed", run: run(n), why: { failure: "blocked" } };
          case "grant":
            return { type: "engine-grant", run: run(n), grant };
          case "applied":
            return { type: "grant-applied", run: run(n) };
          case "not-applied":
            return { type: "grant-failed", run: run(n), reason: "x" };
          case "gone":
            return { type: "engine-card-gone", run: run(n) };
          case "ended":
            return { type: "engine-ended", run: run(n), reason: "x" };
          case "lock":
            return { type: "lock", by: "admin" };
          case "slept":
            return { type: "engine-slept", run: run(n), sleptMs: 5_000 };
          case "revoked":
            return { type: "revoked", run: run(n), reason: "lost" };
          default:
            return { type: "tick" };
        }
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("a clock that is set back or forward neither keeps an engine nor loses one", () => {
  for (const date of [0, 1000 * DAY]) {
    const core = new SessionCore();
    const at = (event: SessionEvent, now: number) => core.handle(event, now, { date });
    for (const event of [reader("present"), hello(1), asked(1), pin(1)]) {
      core.handle(event, 5000, { date: DAY / 2 });
    }
    assert.deepEqual(types(at({ type: "tick" }, 5000 + limits.UNLOCK_MS - 1)), []);
    assert.equal(phaseOf(core), "unlocking");
    at(reader("absent", 2), 6000);
    assert.deepEqual(
      types(at({ type: "tick" }, 6000 + limits.ENGINE_END_MS)),
      ["kill-engine"],
    );
  }
});

Deno.test("a session ends when the calendar says so, also after a leap", () => {
  const core = upCore();
  assert.deepEqual(types(core.handle({ type: "tick" }, 60_000, { date: DAY - 1 })), []);
  assert.deepEqual(types(core.handle({ type: "tick" }, 61_000, { date: DAY })).slice(0, 2), [
    "revoke-grant",
    "end-engine",
  ]);
});
