/** Resident memory of a tunnel with 10,000 configured peers, beyond the runtime's own. */
import { compareMemory } from "./lib/memory.ts";

await compareMemory(
  { name: "memory, 10,000 configured peers", unit: "MiB", goal: { atMost: 1 } },
  { peers: 10000, active: false },
);
