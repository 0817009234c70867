import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { CardGarbledError, CardGoneError, CardSilentError } from "../../token/apdu/channel.ts";
import { PcscContext } from "../../token/pcsc/context.ts";
import { listReaders } from "../../token/pcsc/list.ts";
import { startReaderMonitor } from "../../token/pcsc/monitor.ts";
import { openCard } from "../../token/pcsc/session.ts";
import type { CardSession, PcscError, ReaderState } from "../../token/pcsc/types.ts";
import { selectPiv } from "../../token/piv/client.ts";
import { sleep } from "../lab/machine.ts";
import { labTest } from "../lab/needs.ts";
import { ReaderLab } from "./reader_lab.ts";

/** A guard against hanging, not a measure. */
const PATIENCE_MS = 30_000;
/** Calls that met in libpcsclite 1.9.9 ended a process within a second or two. */
const THREADS_MS = 5_000;

labTest("the monitor follows service, readers and cards, and outlives pcscd", async () => {
  await using lab = await ReaderLab.open();
  const seen = new Seen();
  const monitor = startReaderMonitor(seen);
  await seen.until("no service is noticed", () => seen.errors.length === 1);
  assert.equal(seen.errors[0]?.fault, "no-service");
  assert.match(seen.errors[0]?.message ?? "", /^Cannot .*: pcscd does not answer; start it/);

  const first = await lab.startService();
  await seen.until("the readers are there", () => seen.readers.length === 2);
  assert.deepEqual(seen.readers.map(({ card }) => card), ["absent", "absent"]);

  const card = await lab.startCard();
  await seen.until("the card is seen", () => seen.first?.card === "present");
  assert.equal(seen.first?.atr.toHex(), "3b8d800180fba000000308000010000100cd");
  const events = seen.first?.events ?? NaN;
  await card.remove();
  await seen.until("the removal is seen", () => seen.first?.card === "absent");
  await card.insert();
  await seen.until("the card is seen again", () => seen.first?.card === "present");
  // At least one removal and one insertion; vpcd may stumble over a card on its way in.
  assert.ok((seen.first?.events ?? 0) >= events + 2, `${seen.first?.events} after ${events}`);

  first.running.signal("SIGKILL");
  await first.running.status;
  await seen.until("the loss is noticed", () => seen.errors.length === 2);
  assert.deepEqual(seen.readers, []);
  await lab.startService();
  await seen.until("the card is seen again", () => seen.first?.card === "present");
  assert.equal(seen.errors.length, 2, "one loss is told once");

  await monitor.stop();
  const told = seen.changes;
  await card.remove();
  await sleep(1000);
  assert.equal(seen.changes, told, "nothing is told after the end");
});

labTest("a reader unplugged right after it was listed takes no other reader with it", async () => {
  await using lab = await ReaderLab.open();
  await lab.startService();
  const seen = new Seen();
  const monitor = startReaderMonitor(seen);
  await seen.until("the readers are there", () => seen.readers.length === 2);
  const { changes } = seen;
  const { listReaders: list } = PcscContext.prototype;
  let looks = 0;
  PcscContext.prototype.listReaders = async function () {
    const names = await list.call(this);
    return looks++ < 2 ? [...names, "Unplugged 00 00"] : names;
  };
  try {
    await untilTrue("the next looks", () => Promise.resolve(looks > 4));
  } finally {
    PcscContext.prototype.listReaders = list;
  }
  assert.deepEqual([seen.errors, seen.changes], [[], changes]);
  await monitor.stop();
});

labTest("the monitor also sees a card that was swapped between two looks", async () => {
  await using lab = await ReaderLab.open();
  await lab.startService();
  const card = await lab.startCard();
  const [before] = await listReaders();
  assert.equal(before?.card, "present");
  await card.remove();
  await untilTrue("the removal", async () => (await listReaders())[0]?.card === "absent");
  await card.insert();
  await untilTrue("the card", async () => (await listReaders())[0]?.card === "present");
  const [after] = await listReaders();
  assert.notEqual(after?.events, before?.events);
  const stale = openCard(before?.name ?? "", { events: before?.events ?? 0 });
  await assert.rejects(stale, { name: "PcscError", fault: "removed" });
});

labTest(
  "a session is exclusive, resets, ends with the card, and leaves the reader usable",
  async () => {
    await using lab = await ReaderLab.open();
    const { readerName } = await lab.startService();
    await assert.rejects(openCard(readerName), { fault: "no-card" });
    await assert.rejects(openCard("no such reader"), { fault: "no-reader" });
    const card = await lab.startCard();

    const session = await openCard(readerName);
    await assert.rejects(openCard(readerName), { fault: "sharing" });
    const piv = await selectPiv(session);
    assert.ok(piv);
    assert.deepEqual(await piv.verifyPin(pin()), { outcome: "ok" });
    assert.deepEqual(await piv.pinStatus(), { state: "verified" });
    await session.reset();
    await piv.select();
    assert.deepEqual(await piv.pinStatus(), { state: "locked", triesLeft: 3 });

    // Exchanges that are asked for at once take turns.
    const answers = await Promise.all(Array.from({ length: 5 }, () => piv.serial()));
    assert.equal(new Set(answers).size, 1);

    await piv.verifyPin(pin());
    await session.close("reset");
    await session.close();
    await assert.rejects(session.transmit(Uint8Array.of(0, 0xfd, 0, 0, 0)), CardGoneError);
    const second = await openCard(readerName);
    const again = await selectPiv(second);
    assert.deepEqual(await again?.pinStatus(), { state: "locked", triesLeft: 3 });

    await card.remove();
    await second.removed;
    await assert.rejects(second.transmit(Uint8Array.of(0, 0xfd, 0, 0, 0)), CardGoneError);
    await second.close();
    await card.insert();
    await use(readerName);
  },
);

labTest("a card pulled in the middle of any command is gone at once", async () => {
  await using lab = await ReaderLab.open();
  const { readerName } = await lab.startService();
  const card = await lab.startCard();
  for (let command = 1; command <= 4; command++) {
    const session = await openCard(readerName, { timeoutMs: 2 * PATIENCE_MS });
    await card.fault(`pull-at ${command}`);
    const started = performance.now();
    await assert.rejects(async () => {
      const piv = await selectPiv(session);
      for (let i = 0; i < 10; i++) await piv?.cardId();
    }, CardGoneError);
    assert.ok(performance.now() - started < PATIENCE_MS, "before the bound for silence");
    await session.removed;
    await session.close();
    await card.insert();
  }
  await use(readerName);
});

labTest("a silent card costs the bound, and the reader is usable after it was pulled", async () => {
  await using lab = await ReaderLab.open();
  const { readerName } = await lab.startService();
  const card = await lab.startCard();
  const session = await openCard(readerName, { timeoutMs: 700 });
  await card.fault("silent");
  const started = performance.now();
  await assert.rejects(selectPiv(session), CardSilentError);
  assert.ok(performance.now() - started >= 690);
  await assert.rejects(selectPiv(session), CardSilentError, "the session is over");
  await session.close();
  await card.remove();
  await card.insert();
  await use(readerName);
});

labTest("garbage is told apart, and the next command is answered", async () => {
  await using lab = await ReaderLab.open();
  const { readerName } = await lab.startService();
  const card = await lab.startCard();
  for (const garbage of ["5a", "9000", "01029000", "6fff9000"]) {
    const session = await openCard(readerName);
    await card.fault(`garbage ${garbage}`);
    await assert.rejects(selectPiv(session), CardGarbledError, garbage);
    assert.ok(await selectPiv(session), "the session goes on");
    await session.close();
  }
  // Two bytes are announced that GET RESPONSE doesn't find: an error of the card, no garbage.
  const session = await openCard(readerName);
  await card.fault("garbage 6102");
  assert.equal(await selectPiv(session), undefined);
  await session.close();
  await use(readerName);
});

labTest("when pcscd dies the card counts as gone", async () => {
  await using lab = await ReaderLab.open();
  const pcscd = await lab.startService();
  await lab.startCard();
  const session = await openCard(pcscd.readerName);
  pcscd.running.signal("SIGKILL");
  await session.removed;
  await assert.rejects(selectPiv(session), CardGoneError);
  await session.close();
  await assert.rejects(listReaders(), { fault: "no-service" });
});

labTest("a pcscd that hangs counts as gone, and is found again when it goes on", async () => {
  await using lab = await ReaderLab.open();
  const pcscd = await lab.startService();
  await lab.startCard();
  const seen = new Seen();
  const monitor = startReaderMonitor(seen);
  await seen.until("the card is seen", () => seen.first?.card === "present");
  const session = await openCard(pcscd.readerName, { timeoutMs: 500 });
  pcscd.running.signal("SIGSTOP");
  await assert.rejects(selectPiv(session), CardSilentError);
  await session.removed;
  await seen.until("the loss is noticed", () => seen.errors.length === 1);
  await assert.rejects(openCard(pcscd.readerName), { fault: "no-service" });
  await session.close();
  pcscd.running.signal("SIGCONT");
  await seen.until("the card is seen again", () => seen.first?.card === "present");
  await use(pcscd.readerName);
  await monitor.stop();
});

class Seen {
  readers: readonly ReaderState[] = [];
  changes = 0;
  readonly errors: PcscError[] = [];
  #look: () => void = () => {};

  get first(): ReaderState | undefined {
    return this.readers[0];
  }

  onChange(readers: readonly ReaderState[]): void {
    this.readers = readers;
    this.changes++;
    this.#look();
  }

  onError(error: PcscError): void {
    this.errors.push(error);
    this.#look();
  }

  until(what: string, check: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`Waited in vain until ${what}`)),
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

async function use(reader: string): Promise<void> {
  let session: CardSession | undefined;
  // After a pull pcscd looks for the next card every 0.45 s.
  await untilTrue("the reader to be usable", async () => {
    session = await openCard(reader).catch(() => undefined);
    return session !== undefined;
  });
  const piv = session && await selectPiv(session);
  assert.match(await piv?.cardId() ?? "", /^[0-9a-f]{32}$/);
  await session?.close();
}

async function untilTrue(what: string, check: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!await check()) {
    if (performance.now() > end) throw new Error(`Waited in vain for ${what}`);
    await sleep(20);
  }
}

function pin(): Uint8Array {
  return new TextEncoder().encode("123456");
}

labTest("handles and contexts come and go on several threads: the library stands it", async () => {
  await using lab = await ReaderLab.open();
  await lab.startService();
  await lab.startCard();
  await untilTrue("the card", async () => (await listReaders())[0]?.card === "present");
  const program = fileURLToPath(import.meta.resolve("./pcsc_threads.ts"));
  const { code, stdout, stderr } = await lab.machine.run(
    [Deno.execPath(), "run", "-A", "--cached-only", "--no-check", program, `${THREADS_MS}`],
    { env: ReaderLab.insideEnv },
  );
  assert.equal(code, 0, `ended with ${code}: ${stderr}`);
  assert.ok(Number(stdout) > 0, stdout);
});
