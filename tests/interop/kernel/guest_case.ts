/** A test whose body runs our program in a guest; skipped in plain sight unless it is asked for. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { needsRoot } from "../../lab/needs.ts";
import { apart, reportOf } from "./apart.ts";
import { guestParts } from "./cache.ts";
import { type GuestOptions, runInGuest } from "./guest.ts";

/** A guard against hanging: a busy machine takes many times the minutes of an idle one. */
const LIMIT_MS = 60 * 60_000;
const HOME = Deno.env.get("HOME") ?? "/root";
const DENO_DIR = Deno.env.get("DENO_DIR") ?? `${HOME}/.cache/deno`;
const ROOT = fileURLToPath(import.meta.resolve("../../..")).replace(/\/$/, "");
const parts = guestParts();
const why = Deno.env.get("SEKISHO_GUEST") !== "1"
  ? "slow; ask for it by SEKISHO_GUEST=1"
  : parts === undefined
  ? "no guest is here; run tests/interop/kernel/fetch.ts"
  : /^\/(tmp|run|mnt)\//.test(ROOT)
  ? "a guest has a /tmp, /run and /mnt of its own; move the checkout elsewhere"
  : needsRoot;

type Extras = Pick<GuestOptions, "memory" | "hardware"> & {
  /** What the guest's shell does before. */
  readonly before?: string;
  /** The program runs apart from this machine's files, so that the guest can sleep; with it come these. */
  readonly apart?: readonly string[];
};

export interface Guest {
  /** Empty; a guest's end leaves it as it is, the test's end doesn't. */
  readonly folder: string;
  /** What Deno in the guest printed, run with these words; fails unless it exits with 0. */
  deno(words: string, extras?: Extras): Promise<string>;
}

export function guestTest(name: string, run: (guest: Guest) => Promise<void>): void {
  Deno.test({
    name: why === undefined ? name : `${name} (skipped: ${why})`,
    ignore: why !== undefined,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      assert.ok(parts !== undefined);
      await makeReady();
      const folder = await Deno.makeTempDir();
      const deno = async (words: string, extras: Extras = {}) => {
        const { before = "", apart: files, ...options } = extras;
        const command = `${Deno.execPath()} ${words}`;
        // What Deno keeps for the next start is written over this machine's, which is read only.
        const script = `export HOME=${HOME} DENO_DIR=${DENO_DIR} NO_COLOR=1 PATH=${
          Deno.env.get("PATH")
        }
          mkdir /mnt/new /mnt/work
          mount -t overlay -o lowerdir=${DENO_DIR},upperdir=/mnt/new,workdir=/mnt/work deno ${DENO_DIR}
          cd ${ROOT}
          ${before}
          ${
          files === undefined
            ? command
            : apart(command, { folder: ROOT, files: [...runtimeFiles(), ...files] })
        }`;
        const ended = await runInGuest(script, { parts, folder, limitMs: LIMIT_MS, ...options });
        const { code, output } = files === undefined ? ended : reportOf(ended.console);
        assert.equal(code, 0, `${output}\n${ended.console}`);
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

/** What a guest can't make by itself: it has no network, and this machine's files are read only. */
async function makeReady(): Promise<void> {
  for (const words of [["install", "--frozen", "--quiet"], ["task", "--quiet", "build"]]) {
    const command = new Deno.Command(Deno.execPath(), { args: words, cwd: ROOT });
    const { success, stderr } = await command.output();
    assert.ok(success, new TextDecoder().decode(stderr));
  }
}

/** What the runtime has fetched, and made of this project's files: the rest is other projects'. */
function runtimeFiles(): string[] {
  return [`${DENO_DIR}/npm`, `${DENO_DIR}/gen/file${ROOT}`];
}
