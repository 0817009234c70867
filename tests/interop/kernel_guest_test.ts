/**
 * Against the kernel's WireGuard in a guest, where this machine's kernel has none: slow, so only when
 * asked for by SEKISHO_GUEST=1, and only after `deno run -A tests/interop/kernel/fetch.ts`.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { needsRoot } from "../lab/needs.ts";
import { guestParts } from "./kernel/cache.ts";
import { runInGuest } from "./kernel/guest.ts";

const LIMIT_MS = 14 * 60_000;
const parts = guestParts();
const why = Deno.env.get("SEKISHO_GUEST") !== "1"
  ? "slow; ask for it by SEKISHO_GUEST=1"
  : parts === undefined
  ? "no guest is here; run tests/interop/kernel/fetch.ts"
  : needsRoot;

/** Files, and which of their tests the guest is for. */
const RUNS = [
  { file: "kernel_test.ts", filter: "/./" },
  { file: "wireguard_go_test.ts", filter: "/kernel/" },
  { file: "paths_test.ts", filter: "/kernel/" },
];

for (const { file, filter } of RUNS) {
  Deno.test({
    name: `${file} in a guest with the kernel's WireGuard${
      why === undefined ? "" : ` (skipped: ${why})`
    }`,
    ignore: why !== undefined,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      assert.ok(parts !== undefined);
      const folder = await Deno.makeTempDir();
      try {
        const path = fileURLToPath(import.meta.resolve(`./${file}`));
        const script = `export HOME=${Deno.env.get("HOME")} NO_COLOR=1 PATH=${Deno.env.get("PATH")}
          cd ${fileURLToPath(import.meta.resolve("../.."))}
          ${Deno.execPath()} test -A --no-check --cached-only --filter '${filter}' ${path}`;
        const { code, output, console: said } = await runInGuest(script, {
          parts,
          folder,
          limitMs: LIMIT_MS,
        });
        console.log(output.split("\n").filter((line) => line.includes(" ... ")).join("\n"));
        assert.equal(code, 0, `${output}\n${said}`);
        const passed = Number(/(\d+) passed/.exec(output)?.[1] ?? 0);
        assert.ok(passed > 0, output);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}
