/**
 * Against the kernel's WireGuard in a guest, where this machine's kernel has none: slow, so only when
 * asked for by SEKISHO_GUEST=1, and only after `deno run -A tests/interop/kernel/fetch.ts`.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { fileURLToPath } from "node:url";
import { needsRoot } from "../lab/needs.ts";
import { guestParts } from "./kernel/cache.ts";
import { MASK } from "./kernel/erased_program.ts";
import { runInGuest } from "./kernel/guest.ts";
import { atGuestPhase } from "./kernel/phase.ts";

const LIMIT_MS = 30 * 60_000;
const HOME = Deno.env.get("HOME") ?? "/root";
const DENO_DIR = Deno.env.get("DENO_DIR") ?? `${HOME}/.cache/deno`;
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
  { file: "../e2e/kernel_carrier_test.ts", filter: "/kernel/" },
];

for (const { file, filter } of RUNS) {
  guestTest(`${file} in a guest with the kernel's WireGuard`, async (guest) => {
    const path = fileURLToPath(import.meta.resolve(`./${file}`));
    const output = await guest.deno(
      `test -A --no-check --cached-only --filter '${filter}' ${path}`,
    );
    console.log(output.split("\n").filter((line) => line.includes(" ... ")).join("\n"));
    const passed = Number(/(\d+) passed/.exec(output)?.[1] ?? 0);
    assert.ok(passed > 0, output);
  });
}

guestTest("taken away at once: no key is in all of a machine's memory any more", async (guest) => {
  const keys = crypto.getRandomValues(new Uint8Array(64));
  // The ends of a private key are not the same everywhere: X25519 sets five of its bits.
  const wanted = { private: keys.subarray(1, 31), preshared: keys.subarray(32) };
  // Where nothing of it reaches a disk.
  const memory = await Deno.makeTempFile({ dir: "/dev/shm" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(memory));
  const found = (name: keyof typeof wanted) => count(memory, wanted[name]);
  const path = fileURLToPath(import.meta.resolve("./kernel/erased_program.ts"));
  const masked = keys.map((byte) => byte ^ MASK).toBase64();
  const ended = guest.deno(`run -A --no-check --cached-only ${path} ${masked}`, { memory });
  const search = async () => {
    await atGuestPhase(guest.folder, {
      name: "up",
      then: () => assert.ok(found("private") >= 2 && found("preshared") >= 2),
    });
    await atGuestPhase(guest.folder, {
      name: "erased",
      then: () => assert.deepEqual([found("private"), found("preshared")], [0, 0]),
    });
  };
  // Both to their ends, so that no guest stays; one that ended too early says why.
  const [searched] = await Promise.allSettled([search(), ended]);
  await ended;
  if (searched.status === "rejected") throw searched.reason;
});

interface Guest {
  readonly folder: string;
  /** What Deno in the guest printed, run with these words; fails unless it exits with 0. */
  deno(words: string, options?: { memory?: string }): Promise<string>;
}

function guestTest(name: string, run: (guest: Guest) => Promise<void>): void {
  Deno.test({
    name: why === undefined ? name : `${name} (skipped: ${why})`,
    ignore: why !== undefined,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      assert.ok(parts !== undefined);
      const folder = await Deno.makeTempDir();
      const deno = async (words: string, { memory }: { memory?: string } = {}) => {
        // What Deno keeps for the next start is written over this machine's, which is read only.
        const script = `export HOME=${HOME} DENO_DIR=${DENO_DIR} NO_COLOR=1 PATH=${
          Deno.env.get("PATH")
        }
          mkdir /mnt/new /mnt/work
          mount -t overlay -o lowerdir=${DENO_DIR},upperdir=/mnt/new,workdir=/mnt/work deno ${DENO_DIR}
          cd ${fileURLToPath(import.meta.resolve("../.."))}
          ${Deno.execPath()} ${words}`;
        const { code, output, console: said } = await runInGuest(script, {
          ...{ parts, folder, limitMs: LIMIT_MS },
          ...(memory === undefined ? {} : { memory }),
        });
        assert.equal(code, 0, `${output}\n${said}`);
        return output;
      };
      try {
        await run({ folder, deno });
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

/** How often these bytes are in a file, which is as large as a machine's memory. */
function count(path: string, wanted: Uint8Array): number {
  const PIECE = 64 * 1024 * 1024;
  const needle = Buffer.from(wanted);
  const piece = Buffer.alloc(PIECE + wanted.length - 1);
  using file = Deno.openSync(path);
  let times = 0;
  for (let start = 0;; start += PIECE) {
    file.seekSync(start, Deno.SeekMode.Start);
    let length = 0;
    while (length < piece.length) {
      const got = file.readSync(piece.subarray(length));
      if (got === null) break;
      length += got;
    }
    const bytes = piece.subarray(0, length);
    for (let at = bytes.indexOf(needle); at >= 0; at = bytes.indexOf(needle, at + 1)) times++;
    if (length < piece.length) return times;
  }
}
