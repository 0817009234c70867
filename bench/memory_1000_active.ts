/** Resident memory of a tunnel with 1,000 active peers, beyond the runtime's own. */
import { compareMemory } from "./lib/memory.ts";

await compareMemory(
  { name: "memory, 1,000 active peers", unit: "MiB", goal: { atMost: 1 } },
  { peers: 1000, active: true },
);
