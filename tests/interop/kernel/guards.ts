/** The shells that see to it that no interface in the kernel outlives its process. */
import type { Machine } from "../../lab/machine.ts";

/** Their process ids, as the host numbers them. */
export function guards(machine: Machine): number[] {
  return machine.pids().filter((pid) => {
    try {
      return Deno.readTextFileSync(`/proc/${pid}/cmdline`).includes("sekisho-guard");
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  });
}
