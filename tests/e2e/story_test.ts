/**
 * The story, on each variant of hub and identity. `SEKISHO_STORY_RUNS=10` tells each that many times.
 */
import assert from "node:assert/strict";
import { labTest } from "../lab/needs.ts";
import { openWorld } from "../story/open_world.ts";
import { tellStory } from "../story/story.ts";
import { PlainTeller } from "../story/teller.ts";
import { untilPhase } from "../story/visits.ts";
import type { Variant, World } from "../story/world.ts";

const RUNS = Number(Deno.env.get("SEKISHO_STORY_RUNS") ?? "1");
const VARIANTS: readonly Variant[] = [
  { hub: "ours", identity: "sealed" },
  { hub: "stock", identity: "sealed" },
  { hub: "ours", identity: "on-card" },
];

for (const variant of VARIANTS) {
  for (let run = 1; run <= RUNS; run++) {
    const name = `the story holds: ${variant.hub} hub, ${variant.identity} identity`;
    labTest(RUNS === 1 ? name : `${name}, run ${run}`, async () => {
      const isOnCard = variant.identity === "on-card";
      const tables = isOnCard ? "[passkeys]\n" : "";
      await using world = await openWorld(variant, new PlainTeller(), { tables });
      await tellStory(world);
      if (isOnCard) await offersNoPasskey(world);
    });
  }
}

/** A passkey can't make a card's own key work: none is offered, nor may one be added. */
async function offersNoPasskey({ boxes: [box] }: World): Promise<void> {
  const [terminal] = box.site.terminals;
  assert.ok(terminal);
  const { card } = box;
  assert.ok(card);
  await box.remove();
  await untilPhase(terminal, box, ["no-card"]);
  await box.insert(card);
  const { target } = await untilPhase(terminal, box, ["pin-asked"]);
  assert.ok(target);
  assert.equal(target.passkey, undefined);
}
