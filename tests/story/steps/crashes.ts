import assert from "node:assert/strict";
import { sleep } from "../../lab/machine.ts";
import type { Terminal } from "../terminal.ts";
import { UplinkWatch } from "../uplink.ts";
import {
  OFFICE_URL,
  openOffice,
  unlock,
  unlockInserted,
  untilNoEngine,
  untilPhase,
} from "../visits.ts";
import type { World } from "../world.ts";
import { tryEverything } from "./locked.ts";

/** Gateway, then engine, killed while traffic flows: nothing leaks, and a restart recovers. */
export async function crash(world: World): Promise<void> {
  const { boxes: [box], cards: { office }, teller } = world;
  const [terminal, other] = box.site.terminals;
  assert.ok(terminal && other);
  await unlock(terminal, box, office);

  teller.step("The gateway process is killed while traffic flows: nothing leaks");
  const withoutGateway = await killAmidTraffic(world, async () => {
    const engines = box.engines();
    assert.equal(engines.length, 1);
    await box.killGateway();
    await untilNoEngine(box);
  });
  await box.startGateway();
  await unlockInserted(terminal, box, office);
  await openOffice(other);
  teller.note("a restart and the PIN bring it back");

  teller.step("The engine is killed while traffic flows: nothing leaks");
  const withoutEngine = await killAmidTraffic(world, async () => {
    for (const engine of box.engines()) Deno.kill(engine, "SIGKILL");
    await sleep(200);
  });
  await unlockInserted(terminal, box, office);
  await openOffice(other);
  teller.figure({
    name: "leaked-at-crashes",
    label: "packets outside the tunnel when gateway and engine were killed",
    value: withoutGateway + withoutEngine,
    unit: "packets",
    goal: 0,
  });
  await box.takeAway();
  await untilPhase(terminal, box, ["no-card"]);
}

async function killAmidTraffic(world: World, kill: () => Promise<void>): Promise<number> {
  const { network, boxes: [box] } = world;
  const [terminal, other] = box.site.terminals as [Terminal, Terminal];
  await using uplink = await UplinkWatch.start(network, box.site);
  const began = Date.now();
  const streaming = [
    terminal.fails("download", { url: `${OFFICE_URL}big?seed=1&size=4000000000`, timeoutMs: 6000 }),
    other.machine.run(["ping", "-q", "-i", "0.005", "-w", "6", new URL(OFFICE_URL).hostname]),
  ];
  await uplink.untilSent(100, began);
  await kill();
  await Promise.all([tryEverything(terminal), tryEverything(other)]);
  await Promise.all(streaming);
  const count = await uplink.assertNoLeak(began);
  return count.leaked.length;
}
