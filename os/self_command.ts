/** How this program starts another role of itself. */
import { fileURLToPath } from "node:url";

/**
 * V8's young generation stays at its smallest. The roles that are started here leave little
 * garbage, so a larger one would only be memory: 13 MB with a thousand active peers.
 */
const V8_FLAGS = "--v8-flags=--max-semi-space-size=1";

/** The words that run `role` in a process of its own: in a checkout or from one packaged file. */
export function selfCommand(role: string, args: readonly string[] = []): [string, ...string[]] {
  if (Deno.build.standalone) return [Deno.execPath(), role, ...args];
  const main = fileURLToPath(import.meta.resolve("../main.ts"));
  return [
    Deno.execPath(),
    "run",
    V8_FLAGS,
    "-A",
    "--no-prompt",
    "--no-check",
    "--cached-only",
    main,
    role,
    ...args,
  ];
}
