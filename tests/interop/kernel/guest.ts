/**
 * Runs a script in a guest whose kernel is Debian's: QEMU without hardware's help, this machine's
 * files as they are (read only; /tmp, /run and /mnt are the guest's own), no network but its own.
 */
import { type GuestParts } from "./cache.ts";
import { initramfs } from "./initramfs.ts";

export interface GuestResult {
  /** The script's exit code; undefined if it never ended. */
  readonly code: number | undefined;
  readonly output: string;
  readonly console: string;
}

export interface GuestOptions {
  readonly parts: GuestParts;
  /** Empty, ours; what the script leaves in /mnt/answer is found in its `answer`. */
  readonly folder: string;
  readonly limitMs: number;
  /** A file that is to be the guest's whole memory, so that it can be searched while it runs. */
  readonly memory?: string;
  /** More words for QEMU, and the kernel modules that what they add needs. */
  readonly hardware?: { readonly words: readonly string[]; readonly modules: readonly string[] };
}

const MEMORY_MB = 4096;
/** Less to search. */
const SEARCHED_MB = 1024;

/** Resolves when the guest has ended, by itself or at its limit. */
export async function runInGuest(
  script: string,
  { parts, folder, limitMs, memory, hardware }: GuestOptions,
): Promise<GuestResult> {
  await Deno.mkdir(`${folder}/answer`);
  await Deno.writeFile(
    `${folder}/initramfs`,
    initramfs({ ...parts, more: hardware?.modules ?? [] }),
  );
  await Deno.writeTextFile(
    `${folder}/answer/run.sh`,
    // It is the guest's first process: a reset ends QEMU.
    `(${script}) > /mnt/answer/output 2>&1 < /dev/null
    echo $? > /mnt/answer/code; sync; echo b > /proc/sysrq-trigger\n`,
  );
  const { root, kernel } = parts;
  const child = new Deno.Command("setpriv", {
    args: [
      // It dies with the test, however that ends.
      ...["--pdeathsig", "KILL", `${root}/usr/bin/qemu-system-x86_64`],
      ...["-L", `${root}/usr/share/qemu`, "-L", `${root}/usr/share/seabios`],
      ...["-accel", "tcg,thread=single", "-cpu", "max", "-smp", "1"],
      // Its clock counts a billion instructions as a second: what is too late there would be on a
      // machine of that speed, however slow this one is.
      ...["-icount", "shift=0"],
      ...memoryOf(memory),
      ...["-kernel", kernel, "-initrd", `${folder}/initramfs`],
      ...[
        "-append",
        "console=ttyS0 loglevel=5 mitigations=off panic=-1 rdinit=/init",
      ],
      ...["-nodefaults", "-no-reboot", "-display", "none", "-serial", `file:${folder}/console`],
      ...["-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"],
      "-virtfs",
      `local,path=${folder}/answer,mount_tag=answer,security_model=none,multidevs=remap`,
      ...hardware?.words ?? [],
    ],
    env: {
      LD_LIBRARY_PATH: `${root}/usr/lib/x86_64-linux-gnu:${root}/lib/x86_64-linux-gnu`,
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), limitMs);
  const { stderr } = await child.output();
  clearTimeout(timer);
  const read = (name: string) => Deno.readTextFile(`${folder}/${name}`).catch(() => "");
  const code = (await read("answer/code")).trim();
  return {
    code: code === "" ? undefined : Number(code),
    output: await read("answer/output"),
    console: new TextDecoder().decode(stderr) + await read("console"),
  };
}

function memoryOf(path: string | undefined): string[] {
  if (path === undefined) return ["-m", `${MEMORY_MB}`];
  const backend = `memory-backend-file,id=memory,size=${SEARCHED_MB}M,mem-path=${path},share=on`;
  return ["-m", `${SEARCHED_MB}`, "-object", backend, "-machine", "memory-backend=memory"];
}
