/** The story from beginning to end: what Sekisho is for, on real parts. */
import { withCircumstances } from "./circumstances.ts";
import { cycle } from "./steps/cycles.ts";
import { crash } from "./steps/crashes.ts";
import { download } from "./steps/downloads.ts";
import { fetchPages } from "./steps/pages.ts";
import { measureMemory } from "./steps/memory.ts";
import { moveCard } from "./steps/second_gateway.ts";
import { pullCard } from "./steps/removal.ts";
import { stayLocked } from "./steps/locked.ts";
import { unlockByPin } from "./steps/unlocking.ts";
import type { World } from "./world.ts";

/** Tells it once; rejects at the first thing that isn't as it must be. Leaves the card in, up. */
export async function tellStory(world: World): Promise<void> {
  await withCircumstances(world, async () => {
    await stayLocked(world);
    measureMemory(world, "idle");
    await unlockByPin(world);
    await fetchPages(world);
    await download(world);
    measureMemory(world, "session");
    await pullCard(world);
    await moveCard(world);
    await crash(world);
    await cycle(world);
  });
}
