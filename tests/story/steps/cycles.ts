import assert from "node:assert/strict";
import { sleep } from "../../lab/machine.ts";
import type { Box } from "../box.ts";
import type { Card } from "../card.ts";
import type { Terminal } from "../terminal.ts";
import { openOffice, unlock, unlockInserted, untilNoEngine, untilPhase } from "../visits.ts";
import type { World } from "../world.ts";

/** How each cycle ends: the card goes this long after that moment. */
type Cut =
  | { readonly after: "insertion"; readonly ms: number }
  | { readonly after: "pin"; readonly ms: number }
  | { readonly after: "up"; readonly ms: number };

/** Insertion and removal, again and again, some in the middle of unlocking: never stuck. */
export async function cycle(world: World, times = 20): Promise<void> {
  const { boxes: [box], cards: { office }, teller } = world;
  const [terminal] = box.site.terminals;
  assert.ok(terminal);
  teller.step(`${times} cycles of insertion and removal, some in the middle of unlocking`);
  await unlock(terminal, box, office);
  const { pinTries } = await box.softcard.status();
  await pull(terminal, box);
  for (let i = 0; i < times; i++) {
    await box.insert(office);
    await cutShort(cutOf(i), { terminal, box, card: office });
    await pull(terminal, box);
  }
  await box.insert(office);
  await untilPhase(terminal, box, ["pin-asked"]);
  assert.equal((await box.softcard.status()).pinTries, pinTries, "a PIN try is lost");
  await unlockInserted(terminal, box, office);
  await openOffice(terminal);
  assert.equal(box.engines().length, 1, "an engine is left of an earlier cycle");
  teller.figure({
    name: "cycles",
    label: "cycles of insertion and removal without a stuck state or a lost PIN try",
    value: times,
    unit: "cycles",
  });
}

function cutOf(i: number): Cut {
  const kinds: Cut["after"][] = ["pin", "insertion", "pin", "up", "pin"];
  const after = kinds[i % kinds.length] ?? "up";
  // Spread over what a step takes: from at once to when it is surely done.
  return { after, ms: [0, 5, 15, 40, 90, 150, 250, 400][i % 8] ?? 0 };
}

async function cutShort(
  cut: Cut,
  { terminal, box, card }: { terminal: Terminal; box: Box; card: Card },
): Promise<void> {
  switch (cut.after) {
    case "insertion":
      return await sleep(cut.ms);
    case "pin": {
      await untilPhase(terminal, box, ["pin-asked"]);
      const { portal, authority: ca } = box;
      void terminal.fails("enterPin", { portal, ca, pin: card.pin, timeoutMs: 30_000 });
      return await sleep(cut.ms);
    }
    case "up":
      await unlockInserted(terminal, box, card);
      await openOffice(terminal);
      return await sleep(cut.ms);
  }
}

async function pull(terminal: Terminal, box: Box): Promise<void> {
  await box.remove();
  await untilPhase(terminal, box, ["no-card"]);
  await untilNoEngine(box);
}
