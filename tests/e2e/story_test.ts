/**
 * The story, on each variant of hub and identity. `SEKISHO_STORY_RUNS=10` tells each that many times.
 */
import { labTest } from "../lab/needs.ts";
import { openWorld } from "../story/open_world.ts";
import { tellStory } from "../story/story.ts";
import { PlainTeller } from "../story/teller.ts";
import type { Variant } from "../story/world.ts";

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
      await using world = await openWorld(variant, new PlainTeller());
      await tellStory(world);
    });
  }
}
