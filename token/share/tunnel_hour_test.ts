/** An hour of a tunnel whose identity is on the shared card, while terminals lend it all the time. */
import assert from "node:assert/strict";
import type { Crypto } from "../../tunnel/protocol/crypto.ts";
import { nativeCrypto } from "../../tunnel/protocol/native.ts";
import { nobleCrypto } from "../../tunnel/protocol/noble.ts";
import { ipv4, ipv4Packet, type Node, Simulation } from "../../tunnel/protocol/simulation.ts";
import type { LeaseCommand, LeaseEvent, LeaseId } from "./lease_events.ts";
import { LeaseQueue } from "./lease_queue.ts";

const HOUR = 3_600_000;
const STEP = 50;
/** A packet each way so often. */
const PACKET_EVERY = 200;
const TERMINALS = 5;
/** One Diffie-Hellman, one reset, as a card of the slower kind takes them. */
const CARD_MS = 400;

const A = "10.0.0.1";
const B = "10.0.0.2";

Deno.test("an hour of leases without a pause: every packet of the tunnel arrives", () => {
  const hour = new Hour({ hardMs: 60_000, idleMs: 10_000 }, () => true);
  hour.run();
  assert.deepEqual(hour.lost(), { toHub: 0, fromHub: 0 });
  assert.equal(hour.gaps, 0, "a session that can send is there at every moment");
  assert.ok(hour.leases > 100, `${hour.leases} leases`);
  assert.ok(hour.lentMs > HOUR / 2, `the card was lent for ${hour.lentMs} ms`);
  assert.equal(hour.handshakesInLease, 0, "no handshake fell into a lease");
});

Deno.test("an hour with the longest leases that a policy may allow", () => {
  const hour = new Hour({ hardMs: 110_000, idleMs: 110_000 }, () => true);
  hour.run();
  assert.deepEqual(hour.lost(), { toHub: 0, fromHub: 0 });
  assert.equal(hour.gaps, 0);
  assert.equal(hour.handshakesInLease, 0);
});

Deno.test("an hour on a bad line: one datagram of five is lost, the session never is", () => {
  const hour = new Hour({ hardMs: 60_000, idleMs: 10_000 }, (chance) => chance >= 20);
  hour.run();
  assert.equal(hour.gaps, 0);
  assert.ok(hour.leases > 60, `${hour.leases} leases`);
});

Deno.test("without the queue's care the same hour does lose the tunnel", () => {
  const hour = new Hour({ hardMs: 60_000, idleMs: 10_000 }, () => true, { careless: true });
  hour.run();
  assert.ok(hour.gaps > 0, "or the tests above can't fail");
});

class Hour {
  leases = 0;
  lentMs = 0;
  gaps = 0;
  handshakesInLease = 0;
  readonly #simulation: Simulation;
  readonly #card: Node;
  readonly #hub: Node;
  readonly #queue: LeaseQueue;
  readonly #careless: boolean;
  #due: { at: number; event: LeaseEvent }[] = [];
  #dhAt: number | undefined;
  #heard = 0;
  #sent = 0;
  #next = 1;

  constructor(
    limits: { hardMs: number; idleMs: number },
    arrives: (chance: number) => boolean,
    options: { careless?: boolean } = {},
  ) {
    const crypto: Crypto = nativeCrypto() ?? nobleCrypto;
    this.#simulation = new Simulation(crypto, 7);
    this.#simulation.wire = () => arrives(this.#simulation.randomBelow(100)) ? [20] : [];
    this.#card = this.#simulation.node("192.0.2.1:1000", { remote: true });
    this.#hub = this.#simulation.node("192.0.2.2:2000");
    this.#card.knows(this.#hub, [ipv4(B), 32]);
    this.#hub.knows(this.#card, [ipv4(A), 32]);
    this.#careless = options.careless ?? false;
    this.#queue = new LeaseQueue(limits);
  }

  run(): void {
    this.#on({ type: "open", needs: this.#careless ? "none" : "handshakes" });
    this.#begin();
    const end = this.#simulation.now + HOUR;
    for (let n = 1; this.#simulation.now < end; n++) {
      this.#simulation.run(STEP);
      this.#serveCard();
      this.#timers();
      if (n % (PACKET_EVERY / STEP) === 0) this.#packets();
      this.#look();
    }
    // What is under way arrives.
    for (let n = 0; n < 20; n++) this.#simulation.run(STEP);
  }

  lost(): { toHub: number; fromHub: number } {
    return {
      toHub: this.#sent - this.#hub.received.length,
      fromHub: this.#sent - this.#card.received.length,
    };
  }

  /** The first session, with the card its own; then everybody asks. */
  #begin(): void {
    this.#sent++;
    this.#card.send(ipv4Packet(A, B));
    while (this.#card.count("handshake-completed") === 0) {
      this.#simulation.run(STEP);
      this.#serveCard();
    }
    this.#hub.send(ipv4Packet(B, A));
    for (let terminal = 0; terminal < TERMINALS; terminal++) this.#ask(terminal);
  }

  #packets(): void {
    const number = this.#sent++;
    this.#card.send(ipv4Packet(A, B, { number }));
    this.#hub.send(ipv4Packet(B, A, { number }));
  }

  /** The card does one thing at a time, and nothing for the tunnel while it is lent. */
  #serveCard(): void {
    const { now } = this.#simulation;
    if (this.#card.dhRequests.length === 0) return;
    if (!this.#queue.isOwn) {
      this.handshakesInLease++;
      this.#dhAt = undefined;
      this.#card.answerDh(true);
      return;
    }
    this.#dhAt ??= now + CARD_MS;
    if (now < this.#dhAt) return;
    this.#dhAt = undefined;
    this.#card.answerDh();
  }

  #timers(): void {
    const { now } = this.#simulation;
    const fresh = this.#card.events.slice(this.#heard);
    this.#heard = this.#card.events.length;
    if (fresh.some((event) => event.kind === "handshake-completed" && event.initiator)) {
      this.#on({ type: "session-fresh" });
    }
    const due = this.#due.filter(({ at }) => at <= now);
    this.#due = this.#due.filter(({ at }) => at > now);
    for (const { event } of due) this.#on(event);
    if ((this.#queue.deadline ?? Infinity) <= now) this.#on({ type: "tick" });
  }

  #look(): void {
    const [peer] = this.#card.device.peers.values();
    if (peer?.current?.usable(this.#simulation.now) !== true) this.gaps++;
    if (this.#queue.holder !== undefined) this.lentMs += STEP;
  }

  #on(event: LeaseEvent): void {
    for (const command of this.#queue.handle(event, this.#simulation.now)) this.#obey(command);
  }

  #obey(command: LeaseCommand): void {
    switch (command.type) {
      case "rekey":
        return this.#card.device.rekey(this.#simulation.now);
      case "prepare":
        return this.#later(CARD_MS, { type: "prepared" });
      case "restore":
        return this.#later(2 * CARD_MS, { type: "restored" });
      case "grant":
        this.leases++;
        return this.#use(command.lease);
      case "end":
        // Whoever lost the card asks again at once.
        return this.#ask(command.lease % TERMINALS);
      case "refuse":
      case "own-granted":
        throw new Error(`Nothing here asks for ${command.type}`);
    }
  }

  /** One terminal in three takes the card and goes silent; one works till it is thrown out. */
  #use(lease: LeaseId): void {
    const kind = this.#simulation.randomBelow(3);
    if (kind === 0) return;
    if (kind === 1) {
      return this.#later(this.#simulation.randomBelow(20_000), { type: "leave", lease });
    }
    for (let at = 0; at < 120_000; at += 2_000) {
      this.#later(at, { type: "exchange-began", lease });
      this.#later(at + 500, { type: "exchange-ended", lease });
    }
  }

  #ask(terminal: number): void {
    const lease = (TERMINALS * this.#next++ + terminal) as LeaseId;
    this.#later(STEP, { type: "request", lease, terminal: `t${terminal}`, label: "" });
  }

  #later(ms: number, event: LeaseEvent): void {
    this.#due.push({ at: this.#simulation.now + ms, event });
  }
}
