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

/** `folder`: empty, ours; what the script leaves in /mnt/answer is found there. */
export async function runInGuest(
  script: string,
  { parts, folder, limitMs }: { parts: GuestParts; folder: string; limitMs: number },
): Promise<GuestResult> {
  await Deno.mkdir(`${folder}/answer`);
  await Deno.writeFile(`${folder}/initramfs`, initramfs(parts));
  await Deno.writeTextFile(
    `${folder}/answer/run.sh`,
    // It is the guest's first process: a reset ends QEMU.
    `(${script}) > /mnt/answer/output 2>&1 < /dev/null
    echo $? > /mnt/answer/code; sync; echo b > /proc/sysrq-trigger\n`,
  );
  const { root, kernel } = parts;
  const child = new Deno.Command(`${root}/usr/bin/qemu-system-x86_64`, {
    args: [
      ...["-L", `${root}/usr/share/qemu`, "-L", `${root}/usr/share/seabios`],
      ...["-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", "2048"],
      ...["-kernel", kernel, "-initrd", `${folder}/initramfs`],
      ...[
        "-append",
        "console=ttyS0 loglevel=5 softlockup_all_cpu_backtrace=1 panic=-1 rdinit=/init",
      ],
      ...["-nodefaults", "-no-reboot", "-display", "none", "-serial", `file:${folder}/console`],
      ...["-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"],
      "-virtfs",
      `local,path=${folder}/answer,mount_tag=answer,security_model=none,multidevs=remap`,
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
