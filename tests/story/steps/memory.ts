import type { World } from "../world.ts";

/** Memory of all of Sekisho's own processes in the first gateway. */
export function measureMemory(world: World, state: "idle" | "session"): void {
  const { boxes: [box], teller } = world;
  teller.figure({
    name: `memory-${state}`,
    label: `memory of all gateway processes, ${state === "idle" ? "no card" : "one session"}`,
    value: box.memory() / 1e6,
    unit: "MB",
  });
}
