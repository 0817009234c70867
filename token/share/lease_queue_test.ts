import assert from "node:assert/strict";
import fc from "fast-check";
import type { LeaseCommand, LeaseEvent, LeaseId } from "./lease_events.ts";
import { LeaseQueue } from "./lease_queue.ts";
import * as limits from "./limits.ts";

const id = (number: number) => number as LeaseId;
const LIMITS = { idleMs: 20_000, hardMs: 60_000 };

/** A queue with a clock, and everything that came out of it. */
class Bench {
  readonly queue = new LeaseQueue(LIMITS);
  readonly log: string[] = [];
  now = 1_000;

  constructor(needs: "none" | "handshakes" = "none") {
    this.on({ type: "open", needs });
  }

  on(event: LeaseEvent): readonly LeaseCommand[] {
    const commands = this.queue.handle(event, this.now);
    for (const command of commands) {
      const lease = "lease" in command ? ` ${command.lease}` : "";
      const why = "reason" in command
        ? ` ${command.reason}`
        : "why" in command
        ? ` ${command.why}`
        : "";
      this.log.push(`${command.type}${lease}${why}`);
    }
    return commands;
  }

  ask(lease: number, terminal = `t${lease}`): void {
    this.on({ type: "request", lease: id(lease), terminal, label: terminal });
  }

  /** What was said since the last time. */
  said(): string[] {
    return this.log.splice(0);
  }

  after(ms: number): void {
    this.now += ms;
    this.on({ type: "tick" });
  }
}

Deno.test("leases: in order, one at a time, reset before and after each", () => {
  const bench = new Bench();
  for (const lease of [1, 2, 3]) bench.ask(lease);
  assert.deepEqual(bench.said(), ["prepare 1"]);
  assert.deepEqual(bench.queue.waiting.map(({ lease }) => lease), [2, 3]);
  bench.on({ type: "prepared" });
  assert.deepEqual(bench.said(), ["grant 1"]);
  assert.ok(bench.queue.holds(id(1)));
  bench.on({ type: "leave", lease: id(1) });
  assert.deepEqual(bench.said(), ["end 1 released", "restore"], "not the next before the reset");
  assert.equal(bench.queue.isOwn, false);
  bench.on({ type: "restored" });
  assert.deepEqual(bench.said(), ["prepare 2"]);
  bench.on({ type: "prepared" });
  bench.on({ type: "leave", lease: id(3) });
  assert.deepEqual(bench.said(), ["grant 2", "end 3 gave-up"]);
  bench.on({ type: "leave", lease: id(9) });
  assert.deepEqual(bench.said(), [], "nobody's lease");
});

Deno.test("leases: a silent terminal loses its lease by idling, a busy one by the hard limit", () => {
  const bench = new Bench();
  bench.ask(1);
  bench.ask(2);
  bench.on({ type: "prepared" });
  assert.equal(bench.queue.deadline, bench.now + LIMITS.idleMs);
  bench.after(LIMITS.idleMs - 1);
  assert.ok(bench.queue.holds(id(1)));
  bench.after(1);
  assert.deepEqual(bench.said().slice(-2), ["end 1 idle", "restore"]);
  bench.on({ type: "restored" });
  bench.on({ type: "prepared" });
  for (let used = 0; used < LIMITS.hardMs - 1_000; used += 1_000) {
    bench.on({ type: "exchange-began", lease: id(2) });
    bench.after(500);
    bench.on({ type: "exchange-ended", lease: id(2) });
    bench.after(500);
  }
  assert.ok(bench.queue.holds(id(2)));
  bench.on({ type: "exchange-began", lease: id(2) });
  bench.after(1_000);
  assert.deepEqual(bench.said().slice(-2), ["end 2 hard-limit", "restore"]);
});

Deno.test("leases: an exchange that takes long is not idling", () => {
  const bench = new Bench();
  bench.ask(1);
  bench.on({ type: "prepared" });
  bench.on({ type: "exchange-began", lease: id(1) });
  bench.after(LIMITS.idleMs * 2);
  assert.ok(bench.queue.holds(id(1)));
  bench.on({ type: "exchange-ended", lease: id(1) });
  bench.after(LIMITS.idleMs - 1);
  assert.ok(bench.queue.holds(id(1)));
});

Deno.test("leases: revoked, closed, and asked when nothing is shared", () => {
  const bench = new Bench();
  for (const lease of [1, 2, 3]) bench.ask(lease);
  bench.on({ type: "prepared" });
  bench.said();
  bench.on({ type: "revoke" });
  bench.on({ type: "restored" });
  assert.deepEqual(bench.said(), ["end 1 revoked", "restore", "prepare 2"]);
  bench.on({ type: "close" });
  assert.deepEqual(bench.said(), ["end 3 not-shared", "end 2 not-shared", "restore"]);
  bench.on({ type: "restored" });
  bench.ask(4);
  assert.deepEqual(bench.said(), ["refuse 4 not-shared"]);
  assert.ok(bench.queue.isOwn);
  bench.on({ type: "open", needs: "none" });
  bench.ask(5);
  assert.deepEqual(bench.said(), ["prepare 5"]);
});

Deno.test("leases: a PIN goes before everybody, and nothing else opens the card", () => {
  const bench = new Bench();
  bench.ask(1);
  bench.ask(2);
  bench.on({ type: "prepared" });
  bench.said();
  bench.on({ type: "own-wanted" });
  assert.deepEqual(bench.said(), [], "nobody's work is broken off");
  bench.on({ type: "leave", lease: id(1) });
  assert.deepEqual(bench.said(), ["end 1 released", "restore"]);
  bench.on({ type: "restored" });
  assert.deepEqual(bench.said(), ["own-granted"]);
  bench.ask(3);
  bench.after(1_000);
  assert.deepEqual(bench.said(), []);
  bench.on({ type: "own-done" });
  assert.deepEqual(bench.said(), ["prepare 2"]);
  bench.on({ type: "prepared" });
  bench.said();
  bench.on({ type: "own-wanted" });
  bench.after(LIMITS.hardMs);
  assert.deepEqual(bench.said().slice(1), ["restore"], "and nobody's lasts longer for it");
  bench.on({ type: "own-done" });
  bench.on({ type: "restored" });
  assert.deepEqual(bench.said(), ["prepare 3"], "who gives up waiting is not waited for");
  const closed = new LeaseQueue(LIMITS);
  assert.deepEqual(closed.handle({ type: "own-wanted" }, 0), [{ type: "own-granted" }]);
  assert.deepEqual(closed.handle({ type: "own-done" }, 1), []);
  assert.equal(closed.isOpen, false);
});

Deno.test("leases: bounded for one terminal, for all, and in time", () => {
  const bench = new Bench();
  for (let n = 0; n <= limits.WAITING_OF_ONE; n++) bench.ask(n, "greedy");
  assert.equal(bench.said().filter((line) => line.startsWith("refuse")).length, 0);
  bench.ask(1_000, "greedy");
  assert.deepEqual(bench.said(), ["refuse 1000 too-many-of-one"]);
  for (let n = 0; bench.queue.waiting.length < limits.WAITING_OF_ALL; n++) bench.ask(2_000 + n);
  bench.ask(9_000);
  assert.deepEqual(bench.said(), ["refuse 9000 too-many"]);
  bench.after(limits.LONGEST_WAIT);
  const late = bench.said();
  assert.equal(late.filter((line) => line.endsWith("waited-too-long")).length, 1_024);
  assert.throws(() => new LeaseQueue({ idleMs: 1_000, hardMs: 120_000 }), RangeError);
});

Deno.test("leases and handshakes: no lease over an old session, a new one right before", () => {
  const bench = new Bench("handshakes");
  bench.on({ type: "session-fresh" });
  bench.ask(1);
  assert.deepEqual(bench.said(), ["prepare 1"], "a fresh session needs no other");
  bench.on({ type: "prepared" });
  bench.after(LIMITS.idleMs);
  bench.on({ type: "restored" });
  bench.after(50_000);
  bench.said();
  bench.ask(2);
  assert.deepEqual(bench.said(), ["rekey"]);
  bench.ask(3);
  assert.deepEqual(bench.said(), [], "asked once");
  assert.ok(bench.queue.isOwn, "the handshake needs the card");
  bench.on({ type: "session-fresh" });
  assert.deepEqual(bench.said(), ["prepare 2"]);
});

Deno.test("leases and handshakes: without an answer the old session's room is lent, then little", () => {
  const bench = new Bench("handshakes");
  bench.on({ type: "session-fresh" });
  bench.after(100_000);
  bench.ask(1);
  bench.after(limits.REKEY_WAIT);
  assert.deepEqual(bench.said(), ["rekey", "prepare 1"]);
  assert.equal(bench.queue.holder?.hardAt, 1_000 + limits.SESSION_LAST_MOMENT);
  bench.on({ type: "prepared" });
  bench.after(limits.SESSION_LAST_MOMENT);
  bench.on({ type: "restored" });
  bench.said();
  bench.ask(2);
  for (let waits = 0; waits < limits.OUTAGE_WAITS; waits++) {
    assert.deepEqual(bench.said(), ["rekey"]);
    bench.after(limits.REKEY_WAIT);
  }
  assert.deepEqual(bench.said(), ["prepare 2"]);
  assert.equal((bench.queue.holder?.hardAt ?? 0) - bench.now, limits.OUTAGE_LEASE);
});

Deno.test("leases: whatever happens, in order, one at a time, bounded, reset between", () => {
  const event = fc.oneof(
    fc.record({ do: fc.constant("ask"), terminal: fc.nat(4) }),
    fc.record({ do: fc.constant("leave"), which: fc.nat(30) }),
    fc.record({ do: fc.constant("leave-holder") }),
    fc.record({ do: fc.constant("wait"), ms: fc.nat(40_000) }),
    fc.record({ do: fc.constantFrom("began", "ended", "revoke", "own", "own-done", "fresh") }),
    fc.record({ do: fc.constantFrom("card", "card", "card", "close", "open") }),
  );
  fc.assert(fc.property(
    fc.constantFrom<"none" | "handshakes">("none", "handshakes"),
    fc.array(event, { maxLength: 200 }),
    (needs, script) => {
      const bench = new Bench(needs);
      const model = new Model(bench, needs);
      for (const step of script) model.do(step as { do: string });
      model.finish();
    },
  ));
});

/** Holds every command of the queue to what must be true of it. */
class Model {
  readonly #bench: Bench;
  readonly #needs: "none" | "handshakes";
  readonly #asked: number[] = [];
  readonly #over = new Set<number>();
  #next = 1;
  #held: { lease: number; since: number } | undefined;
  #isReset = true;
  #freshAt = -Infinity;
  /** What the shell owes the queue. */
  #owed: LeaseEvent[] = [];

  constructor(bench: Bench, needs: "none" | "handshakes") {
    this.#bench = bench;
    this.#needs = needs;
  }

  do(step: { do: string; terminal?: number; which?: number; ms?: number }): void {
    const held = this.#held?.lease;
    switch (step.do) {
      case "ask": {
        const lease = this.#next++;
        this.#asked.push(lease);
        const terminal = `t${step.terminal}`;
        return this.#on({ type: "request", lease: id(lease), terminal, label: terminal });
      }
      case "leave":
        return this.#on({ type: "leave", lease: id(step.which ?? 0) });
      case "leave-holder":
        return this.#on({ type: "leave", lease: id(held ?? -1) });
      case "wait":
        return this.#wait(step.ms ?? 0);
      case "began":
        return this.#on({ type: "exchange-began", lease: id(held ?? -1) });
      case "ended":
        return this.#on({ type: "exchange-ended", lease: id(held ?? -1) });
      case "revoke":
        return this.#on({ type: "revoke" });
      case "own":
        return this.#on({ type: "own-wanted" });
      case "own-done":
        return this.#on({ type: "own-done" });
      case "fresh":
        this.#freshAt = this.#bench.now;
        return this.#on({ type: "session-fresh" });
      case "open":
        return this.#on({ type: "open", needs: this.#needs });
      case "close":
        return this.#on({ type: "close" });
      case "card": {
        const owed = this.#owed.shift();
        if (owed !== undefined) this.#on(owed);
      }
    }
  }

  /** Everybody gets a turn or a reason once the card works and the holder is done. */
  finish(): void {
    this.#on({ type: "own-done" });
    for (
      let n = 0;
      n < 5_000 && this.#bench.queue.deadline !== undefined || this.#owed.length > 0;
      n++
    ) {
      const owed = this.#owed.shift();
      if (owed !== undefined) this.#on(owed);
      else this.#wait(Math.max(0, (this.#bench.queue.deadline ?? 0) - this.#bench.now));
    }
    assert.equal(this.#over.size, this.#asked.length, "none is lost");
    assert.equal(this.#bench.queue.waiting.length, 0);
  }

  #wait(ms: number): void {
    this.#bench.now += ms;
    this.#on({ type: "tick" });
  }

  #on(event: LeaseEvent): void {
    const { bench } = { bench: this.#bench };
    for (const command of bench.on(event)) this.#check(command);
    const { holder } = bench.queue;
    if (holder !== undefined && bench.queue.holds(holder.lease) && event.type === "tick") {
      assert.ok(bench.now < holder.hardAt, "a lease ends at its hard limit");
    }
    if (this.#held !== undefined) assert.ok(!bench.queue.isOwn, "lent and own at once");
  }

  #check(command: LeaseCommand): void {
    switch (command.type) {
      case "prepare": {
        assert.equal(this.#held, undefined, "one at a time");
        assert.ok(this.#isReset, "reset after the last one");
        const first = this.#asked.find((lease) => !this.#over.has(lease));
        assert.equal(command.lease, first, "in order");
        this.#held = { lease: command.lease, since: this.#bench.now };
        this.#isReset = false;
        this.#owed = [{ type: "prepared" }];
        return;
      }
      case "grant": {
        assert.equal(command.lease, this.#held?.lease);
        const lasts = command.hardAt - (this.#held?.since ?? 0);
        assert.ok(lasts > 0 && lasts <= LIMITS.hardMs);
        const age = command.hardAt - this.#freshAt;
        const isOutage = lasts <= limits.OUTAGE_LEASE;
        if (this.#needs === "handshakes" && !isOutage) {
          assert.ok(age <= limits.SESSION_LAST_MOMENT, `back at the session's ${age} ms`);
        }
        return;
      }
      case "end":
      case "refuse":
        assert.ok(!this.#over.has(command.lease), "ended once");
        this.#over.add(command.lease);
        if (this.#held?.lease === command.lease) this.#held = undefined;
        return;
      case "restore":
        this.#isReset = true;
        this.#owed = [{ type: "restored" }];
        return;
      case "own-granted":
        assert.equal(this.#held, undefined, "the holder shares with nobody");
        return;
      case "rekey":
        assert.equal(this.#needs, "handshakes");
    }
  }
}
