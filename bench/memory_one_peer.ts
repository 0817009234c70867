/** Resident memory of a tunnel with one peer, beyond the runtime's own. */
import { compareMemory } from "./lib/memory.ts";

await compareMemory(
  { name: "memory, one peer", unit: "MiB", goal: { atMost: 1 } },
  { peers: 1, active: false },
);
