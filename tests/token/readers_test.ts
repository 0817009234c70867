/** Several readers, readers that come and go, slow, bouncing and lying cards, on the real pcscd. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Readers } from "../../gateway/readers.ts";
import type { ReaderState } from "../../gateway/session/events.ts";
import { CardGarbledError, CardGoneError, CardSilentError } from "../../token/apdu/channel.ts";
import { listReaders } from "../../token/pcsc/list.ts";
import { openCard } from "../../token/pcsc/session.ts";
import { PcscError } from "../../token/pcsc/types.ts";
import { selectPiv } from "../../token/piv/client.ts";
import { FACTORY_MANAGEMENT_KEY } from "../../token/piv/client_management.ts";
import { ANSWER_MS, PIV_ALGORITHM } from "../../token/piv/constants.ts";
import { PROOF_SEED_BYTES, proveKey } from "../../token/piv/prove_key.ts";
import { sleep } from "../lab/machine.ts";
import { labTest } from "../lab/needs.ts";
import { OddCard } from "./odd_card.ts";
import { ReaderLab } from "./reader_lab.ts";

/** A guard against hanging, not a measure. */
const PATIENCE_MS = 30_000;
const FIRST = "Virtual PCD 00 00";
const SECOND = "Virtual PCD 00 01";
/** pcscd's own bound (PCSCLITE_MAX_READERS_CONTEXTS). */
const MOST_READERS = 16;
/** For cards that are to be found silent; long enough for one that answers on a busy machine. */
const BOUND_MS = 3_000;
const PORTS = { first: 35963, second: 35964 } as const;

const bytes = (text: string) => new TextEncoder().encode(text);
const random = (length: number) => new Uint8Array(randomBytes(length));

labTest(
  "two cards in two readers: each session its own, and one's removal is not the other's",
  async () => {
    await using lab = await ReaderLab.open();
    await lab.startService();
    await using one = await OddCard.start(lab.machine, { dir: lab.lab.dir });
    await using other = await OddCard.start(lab.machine, {
      dir: lab.lab.dir,
      port: PORTS.second,
      serial: 87654321,
    });
    await Promise.all([one.say("insert"), other.say("insert")]);
    await present(FIRST, SECOND);
    const timeoutMs = PATIENCE_MS;
    const [first, second] = await Promise.all(
      [FIRST, SECOND].map((name) => openCard(name, { timeoutMs })),
    );
    assert.ok(first && second);
    const [a, b] = await Promise.all([selectPiv(first), selectPiv(second)]);
    assert.ok(a && b);
    // A slow card in one reader doesn't hold up the other.
    await one.say("hold");
    const slow = a.serial();
    await one.untilHeld();
    assert.equal(await b.serial(), 87654321);
    await one.untilHeld();
    await one.say("go");
    assert.equal(await slow, 12345678);

    await a.verifyPin(bytes("123456"));
    assert.equal((await b.pinStatus()).state, "locked", "one card's PIN is not the other's");
    let isFirstGone = false;
    void first.removed.then(() => isFirstGone = true);
    await other.say("remove");
    await second.removed;
    await assert.rejects(b.serial(), CardGoneError);
    assert.deepEqual(await a.pinStatus(), { state: "verified" });
    assert.equal(isFirstGone, false);
    await Promise.all([first.close(), second.close()]);
  },
);

labTest("two cards with the same serial number and id are told apart by their keys", async () => {
  await using lab = await ReaderLab.open();
  await lab.startService();
  const { dir } = lab.lab;
  await using genuine = await OddCard.start(lab.machine, { dir });
  await using twin = await OddCard.start(lab.machine, { dir, port: PORTS.second });
  await Promise.all([genuine.say("insert"), twin.say("insert")]);
  await present(FIRST, SECOND);
  const sessions = await Promise.all([openCard(FIRST), openCard(SECOND)]);
  const keys: { id: string | undefined; serial: number | undefined; publicKey: Uint8Array }[] = [];
  const clients = [];
  for (const session of sessions) {
    const piv = await selectPiv(session);
    assert.ok(piv);
    const challenge = random(16);
    assert.ok(await piv.authenticateManagement({ key: FACTORY_MANAGEMENT_KEY, challenge }));
    const publicKey = await piv.generateKey(0x9d, { algorithm: PIV_ALGORITHM.eccP256 });
    await piv.verifyPin(bytes("123456"));
    keys.push({ id: await piv.cardId(), serial: await piv.serial(), publicKey });
    clients.push(piv);
  }
  const [known, copy] = keys;
  const [first, second] = clients;
  assert.ok(known && copy && first && second);
  assert.deepEqual([copy.id, copy.serial], [known.id, known.serial], "the same by their words");
  const challenge = (piv: typeof first) =>
    proveKey(piv, 0x9d, {
      algorithm: PIV_ALGORITHM.eccP256,
      publicKey: known.publicKey,
      seed: random(PROOF_SEED_BYTES),
    });
  assert.deepEqual(await challenge(first), { proof: "holds" });
  assert.deepEqual(await challenge(second), { proof: "other-key" });
  await Promise.all(sessions.map((session) => session.close()));
});

labTest(
  "slow cards: within the stated bound they are waited for, and pulled ones never",
  async () => {
    await using lab = await ReaderLab.open();
    await lab.startService();
    await using card = await OddCard.start(lab.machine, { dir: lab.lab.dir });
    await card.say("insert");
    await present(FIRST);
    const session = await openCard(FIRST, { timeoutMs: BOUND_MS });
    const piv = await selectPiv(session);
    assert.ok(piv);
    const challenge = random(16);
    assert.ok(await piv.authenticateManagement({ key: FACTORY_MANAGEMENT_KEY, challenge }));
    await card.say("slow 700");
    assert.equal(await piv.serial(), 12345678, "slow, but within the bound");

    // Making an RSA key has its own, longer bound: the session's would call the card silent.
    await card.say("slow 0");
    await card.say("hold");
    const making = piv.generateKey(0x9a, { algorithm: PIV_ALGORITHM.rsa2048 });
    await card.untilHeld();
    await sleep(BOUND_MS + 500);
    await card.say("go");
    assert.ok((await making).length > 256);

    // A card that is pulled while it works is gone at once, whatever bound its command had.
    await card.say("hold");
    const gone = assert.rejects(
      piv.generateKey(0x9a, { algorithm: PIV_ALGORITHM.rsa2048 }),
      CardGoneError,
    );
    await card.untilHeld();
    const pulledAt = performance.now();
    await card.say("remove");
    await gone;
    const waited = performance.now() - pulledAt;
    assert.ok(waited < ANSWER_MS.generateRsa / 2, "nobody waited for the bound");
    await session.close();

    // pcscd must have seen it empty itself: what a call that broke off says of a reader isn't counted,
    // and the next card would pass for the same one.
    await untilCounted(FIRST, session.events);
    await card.say("go");
    await card.say("insert");
    await present(FIRST);
    const again = await openCard(FIRST, { timeoutMs: BOUND_MS });
    const other = await selectPiv(again);
    await card.say("hold");
    await assert.rejects(async () => await other?.serial(), CardSilentError);
    await card.say("go");
    await again.close();
  },
);

labTest(
  "a card that is back after 80 ms: its session ended at once, the next one begins anew",
  async () => {
    await using lab = await ReaderLab.open();
    await lab.startService();
    const seen = new SeenReaders();
    await using card = await OddCard.start(lab.machine, { dir: lab.lab.dir });
    await card.say("insert");
    await seen.until((reader) => reader?.card === "present");
    const session = await openCard(FIRST);
    const piv = await selectPiv(session);
    await piv?.verifyPin(bytes("123456"));
    const before = seen.history.length;
    await card.say("remove");
    await sleep(80);
    await card.say("insert");
    await session.removed;
    await assert.rejects(async () => await piv?.pinStatus(), CardGoneError);
    await session.close();
    await seen.until((reader) => reader?.card === "present", before);
    const since = seen.history.slice(before).map((reader) => reader?.card);
    assert.equal(since[0], "absent", "the removal is told first, and by itself");
    const stale = openCard(FIRST, { events: session.events });
    await assert.rejects(stale, { name: "PcscError", fault: "removed" });
    const fresh = await openCard(FIRST);
    const next = await selectPiv(fresh);
    assert.deepEqual(await next?.pinStatus(), { state: "locked", triesLeft: 3 });
    await fresh.close();
    await seen.stop();
  },
);

labTest("readers come and go, also in the middle of a command", async () => {
  await using lab = await ReaderLab.open();
  let service = await lab.startService();
  const seen = new SeenReaders();
  await seen.untilNames(FIRST, SECOND);

  // Another reader is plugged in: pcscd starts with one more, as it does for a stick at boot.
  service = await restart(lab, service, { third: true });
  await seen.untilNames(FIRST, SECOND, "Third PCD 00 00", "Third PCD 00 01");
  await using card = await OddCard.start(lab.machine, { dir: lab.lab.dir, port: 36963 });
  await card.say("insert");
  await present("Third PCD 00 00");
  const session = await openCard("Third PCD 00 00", { timeoutMs: PATIENCE_MS });
  const piv = await selectPiv(session);
  assert.ok(piv);
  await card.say("hold");
  const gone = assert.rejects(piv.serial(), CardGoneError);
  await card.untilHeld();
  service = await restart(lab, service, { third: false });
  await gone;
  await card.say("go");
  await session.removed;
  await seen.untilNames(FIRST, SECOND);
  await session.close();
  await assert.rejects(openCard("Third PCD 00 00"), { fault: "no-reader" });

  // Sleep and wake: the service is gone for a while, the card stays in and has lost its power.
  await using other = await OddCard.start(lab.machine, { dir: lab.lab.dir });
  await other.say("insert");
  await present(FIRST);
  const asleep = await openCard(FIRST);
  const client = await selectPiv(asleep);
  await client?.verifyPin(bytes("123456"));
  await restart(lab, service, { third: false, pauseMs: 1500 });
  await asleep.removed;
  await asleep.close();
  await present(FIRST);
  const awake = await openCard(FIRST);
  const woken = await selectPiv(awake);
  assert.deepEqual(await woken?.pinStatus(), { state: "locked", triesLeft: 3 });
  await awake.close();
  await seen.stop();
});

labTest("as many readers as pcscd serves are all there, also when one has a card", async () => {
  await using lab = await ReaderLab.open();
  // Two slots each; those of the lab's own driver are the last two.
  for (let each = 1; each < MOST_READERS / 2; each++) await addDriver(lab, `More ${each}`, each);
  await lab.startService();
  const seen = new SeenReaders();
  await using card = await OddCard.start(lab.machine, { dir: lab.lab.dir });
  await card.say("insert");
  await seen.until((reader) => reader?.card === "present");
  assert.equal(seen.names.split(",").length, MOST_READERS);
  await card.say("remove");
  await seen.until((reader) => reader?.card === "absent");
  await seen.stop();
});

labTest(
  "a card that answers nonsense to a reset is no card that works, and its reader stays usable",
  async () => {
    await using lab = await ReaderLab.open();
    await lab.startService();
    await using card = await OddCard.start(lab.machine, { dir: lab.lab.dir });
    await card.say("mute");
    await card.say("insert");
    await present(FIRST);
    await assert.rejects(openCard(FIRST), PcscError);
    await card.say("remove");
    await absent(FIRST);
    await card.say("normal");
    await card.say("insert");
    await present(FIRST);
    const session = await openCard(FIRST);
    assert.ok(await selectPiv(session));
    await session.close();
  },
);

labTest("lying cards: floods, endless chains and huge answers end in errors, soon", async () => {
  await using lab = await ReaderLab.open();
  await lab.startService();
  await using card = await OddCard.start(lab.machine, { dir: lab.lab.dir });
  await card.say("insert");
  await present(FIRST);
  const started = performance.now();
  const huge = `${"41".repeat(30_000)}9000`;
  const piece = `${"42".repeat(100)}6110`;
  for (const answer of ["6100", "416101", piece, huge, "9000", "7f499000", "5a", "ffffffff9000"]) {
    const session = await openCard(FIRST);
    await card.say(`flood ${answer}`);
    const outcome = selectPiv(session);
    // The last two bytes are all that some of these have: refused, or malformed.
    await assert.rejects(outcome, CardGarbledError, answer.slice(0, 12));
    await card.say("normal");
    assert.ok(await selectPiv(session), "the next command is answered");
    await session.close();
  }
  assert.ok(performance.now() - started < PATIENCE_MS);
});

/** What `Readers` of the gateway tells of the first reader. */
class SeenReaders {
  readonly history: (ReaderState | undefined)[] = [];
  names = "";
  readonly #readers: Readers;
  #look: () => void = () => {};

  constructor() {
    this.#readers = new Readers(undefined, {
      onChange: (readers) => {
        this.names = readers.map(({ name }) => name).sort().join();
        const first = readers.find(({ name }) => name === FIRST);
        // That somebody has taken or given back the card is told of too, whenever it is noticed.
        const last = this.history.at(-1);
        const isNews = first?.card !== last?.card || first?.counter !== last?.counter;
        if (isNews || this.history.length === 0) this.history.push(first);
        this.#look();
      },
      onLost: () => {},
    });
  }

  until(check: (reader: ReaderState | undefined) => boolean, from = 0): Promise<void> {
    return this.#until(() => this.history.length > from && check(this.history.at(-1)));
  }

  untilNames(...names: string[]): Promise<void> {
    return this.#until(() => this.names === names.sort().join());
  }

  stop(): Promise<void> {
    return this.#readers.stop();
  }

  #until(check: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`Waited in vain; the readers are ${this.names}`)),
        PATIENCE_MS,
      );
      this.#look = () => {
        if (!check()) return;
        clearTimeout(timer);
        this.#look = () => {};
        resolve();
      };
      this.#look();
    });
  }
}

type Service = Awaited<ReturnType<ReaderLab["startService"]>>;

/** Kills pcscd and starts it again, with a third reader or without. */
async function restart(
  lab: ReaderLab,
  service: Service,
  options: { third: boolean; pauseMs?: number },
): Promise<Service> {
  service.running.signal("SIGKILL");
  await service.running.status;
  await sleep(options.pauseMs ?? 0);
  if (options.third) await addDriver(lab, "Third PCD", 0);
  else await lab.machine.sh("rm -f /run/pcscd/reader.conf.d/more-0");
  return await lab.startService();
}

/** One more reader with two slots, at ports from 0x9063 on, from the next start of pcscd. */
async function addDriver(lab: ReaderLab, name: string, index: number): Promise<void> {
  const port = `0x${(0x9063 + 2 * index).toString(16)}`;
  // A copy of the driver: its variables are for one reader with two slots.
  await lab.machine.sh(`
    mkdir -p /run/pcscd/reader.conf.d
    cp /usr/lib/pcsc/drivers/serial/libifdvpcd.so /run/more-${index}.so
    printf '%s\\n' 'FRIENDLYNAME "${name}"' 'DEVICENAME /dev/null:${port}' \\
      'LIBPATH /run/more-${index}.so' 'CHANNELID ${port}' > /run/pcscd/reader.conf.d/more-${index}`);
}

async function present(...names: string[]): Promise<void> {
  await until(names, "present");
}

async function absent(...names: string[]): Promise<void> {
  await until(names, "absent");
}

/** Waits until a reader's count of insertions and removals is another one. */
async function untilCounted(name: string, events: number): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while ((await listReaders()).find((one) => one.name === name)?.events === events) {
    if (performance.now() > end) throw new Error(`Waited in vain for ${name} to be seen empty`);
    await sleep(20);
  }
}

async function until(names: string[], card: ReaderState["card"]): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    const readers = await listReaders();
    if (names.every((name) => readers.find((one) => one.name === name)?.card === card)) return;
    if (performance.now() > end) {
      throw new Error(`Waited in vain for a card ${card}: ${names}: ${JSON.stringify(readers)}`);
    }
    await sleep(20);
  }
}
