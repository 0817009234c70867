/** How this program starts another role of itself. */
import { fileURLToPath } from "node:url";

/** The words that run `role` in a process of its own: in a checkout or from one packaged file. */
export function selfCommand(role: string, args: readonly string[] = []): [string, ...string[]] {
  if (Deno.build.standalone) return [Deno.execPath(), role, ...args];
  const main = fileURLToPath(import.meta.resolve("../main.ts"));
  return [
    Deno.execPath(),
    "run",
    "-A",
    "--no-prompt",
    "--no-check",
    "--cached-only",
    main,
    role,
    ...args,
  ];
}
