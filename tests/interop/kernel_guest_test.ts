/**
 * Against the kernel's WireGuard in a guest, where this machine's kernel has none: slow, so only when
 * asked for by SEKISHO_GUEST=1, and only after `deno run -A tests/interop/kernel/fetch.ts`.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { fileURLToPath } from "node:url";
import { MASK } from "./kernel/erased_program.ts";
import { guestTest } from "./kernel/guest_case.ts";
import { atGuestPhase } from "./kernel/phase.ts";

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
