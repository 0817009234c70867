/** The whole gateway where the kernel's WireGuard carries a sealed profile's packets. */
import assert from "node:assert/strict";
import { noKernelWireguard } from "../interop/kernel/probe.ts";
import { until } from "../interop/wireguard.ts";
import type { Machine } from "../lab/machine.ts";
import { labTest } from "../lab/needs.ts";
import { openWorld } from "../story/open_world.ts";
import { PlainTeller } from "../story/teller.ts";
import { openOffice, unlock, untilPhase } from "../story/visits.ts";

const INTERFACE = "sekisho0";

const kernelTest = noKernelWireguard === undefined
  ? labTest
  : (name: string, _run: () => Promise<void>) =>
    Deno.test.ignore(`${name} (skipped: ${noKernelWireguard})`, () => {});

kernelTest("a sealed profile is carried by the kernel, and gone with card or engine", async () => {
  await using world = await openWorld(
    { hub: "stock", identity: "sealed", kernel: "auto" },
    new PlainTeller(),
  );
  const { boxes: [box], cards: { office: card } } = world;
  const [terminal] = box.site.terminals;
  assert.ok(terminal);

  await unlock(terminal, box, card);
  await openOffice(terminal);
  assert.match(await box.machine.sh(`ip -d link show ${INTERFACE}`), /^ +wireguard /m);
  await box.remove();
  await untilPhase(terminal, box, ["no-card"]);
  await until("the interface's end", () => isGone(box.machine));

  await unlock(terminal, box, card);
  await openOffice(terminal);
  const [engine] = box.engines();
  assert.ok(engine !== undefined);
  Deno.kill(engine, "SIGKILL");
  await until("the interface's end", () => isGone(box.machine));
  await assert.rejects(openOffice(terminal));
  await box.remove();
  await untilPhase(terminal, box, ["no-card"]);

  await unlock(terminal, box, card);
  await openOffice(terminal);
});

async function isGone(machine: Machine): Promise<boolean> {
  return (await machine.run(["ip", "link", "show", INTERFACE])).code !== 0;
}
