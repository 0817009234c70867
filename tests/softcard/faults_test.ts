/** The faults that tests elsewhere ask the card for, as a stock tool meets them. */
import assert from "node:assert/strict";
import { Lab } from "../lab/lab.ts";
import { labTest } from "../lab/needs.ts";
import { startPcscd, startSoftcard } from "../lab/pcscd.ts";

labTest("faults of the software card reach a stock tool, and pass", async (t) => {
  await using lab = await Lab.open();
  const machine = await lab.machine("reader");
  await machine.quickAckLoopback();
  const pcscd = await startPcscd(machine);
  const card = await startSoftcard(machine, { state: `${lab.dir}/card`, removed: true });
  const version = ["opensc-tool", "--card-driver", "default", "-s", "00:FD:00:00"];

  await t.step("a card started outside the reader is not there until inserted", async () => {
    assert.equal((await card.status()).presence, "removed");
    assert.match((await machine.run(version)).stderr, /Card not present/);
    await card.insert();
    assert.match((await machine.run(version)).stdout, /SW1=0x90, SW2=0x00/);
  });

  await t.step("garbage: the tool fails once, then all is well", async () => {
    await card.fault("garbage");
    const met = await machine.run(["timeout", "60", ...version]);
    assert.doesNotMatch(met.stdout, /SW1=0x90/);
    assert.equal((await card.status()).fault, "none");
    assert.match((await machine.run(version)).stdout, /SW1=0x90, SW2=0x00/);
  });

  await t.step("garbage of one's own choice is answered as it is", async () => {
    await card.fault("garbage 6f42");
    assert.match((await machine.run(version)).stdout, /SW1=0x6F, SW2=0x42/);
  });

  await t.step("silent: the tool waits, taking the card out lets it go", async () => {
    await card.fault("silent");
    let isOver = false;
    const waiting = machine.run(["timeout", "60", ...version]).then((result) => {
      isOver = true;
      return result;
    });
    while ((await card.status()).fault !== "none") await pause(10);
    await pause(300);
    assert.equal(isOver, false);
    await card.remove();
    assert.doesNotMatch((await waiting).stdout, /SW1=0x90/);
    await card.insert();
    assert.match((await machine.run(version)).stdout, /SW1=0x90, SW2=0x00/);
  });

  await t.step("pull-at 2: the first command is answered, the second one cut off", async () => {
    await card.fault("pull-at 2");
    const met = await machine.run([...version, "-s", "00:FD:00:00"]);
    assert.equal(met.stdout.match(/SW1=0x90/g)?.length, 1);
    assert.equal((await card.status()).presence, "removed");
    await card.insert();
    assert.match((await machine.run(version)).stdout, /SW1=0x90, SW2=0x00/);
  });

  await t.step(
    "taken out and put in again at once, ten times, the reader notices each time",
    async () => {
      for (let round = 0; round < 10; round++) {
        const working = machine.run([...version, ...version.slice(3), ...version.slice(3)]);
        await pause(round * 5);
        await card.remove();
        await working;
        await card.insert();
        assert.match((await machine.run(version)).stdout, /SW1=0x90, SW2=0x00/);
      }
      assert.equal((await card.status()).pinTries, 3);
    },
  );

  await t.step("the card waits for a reader that comes back", async () => {
    await pcscd.stop();
    const again = await startPcscd(machine);
    await card.insert();
    assert.match((await machine.run(version)).stdout, /SW1=0x90, SW2=0x00/);
    await again.stop();
  });

  // It ends by itself, however busy the machine is.
  await card.running.stop(60_000);
  assert.equal((await card.running.status).code, 0);
});

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
