/**
 * A guest that sleeps must not hang on this machine's files: the device that they come through does
 * not survive a sleep. So what a test needs of them is copied into the guest's memory first.
 */
import { realpathSync } from "node:fs";

/** Larger programs and libraries are compilers' and browsers'. */
const LARGEST = "6M";
const LIBRARIES = "/usr/lib/x86_64-linux-gnu";
const WHOLE = [
  "/etc",
  "/bin",
  "/sbin",
  "/lib",
  "/lib64",
  "/usr/lib64",
  "/usr/lib/pcsc",
  "/usr/lib/udev",
];

/** Before a command's exit code, on the console: the only way out that is left. */
const CODE = "ended apart with";

/** A shell's words that go over to the copy, run `command` there, in this folder, and end the guest. */
export function apart(
  command: string,
  { folder, files }: { folder: string; files: readonly string[] },
): string {
  const runtime = realpathSync(Deno.execPath());
  return `
    mkdir /mnt/apart; mount -t tmpfs -o size=3g,mode=755 apart /mnt/apart
    copy() { tar -C / -cf - "$@" 2>/dev/null | tar -C /mnt/apart -xf -; }
    copy ${[...WHOLE, ...files, runtime].join(" ")}
    copy --exclude=.git ${folder}
    { find /usr/bin /usr/sbin -size -${LARGEST} -print0
      find ${LIBRARIES} -maxdepth 1 -name '*.so*' -size -${LARGEST} -print0; } |
      copy --no-recursion --null -T -
    cd /mnt/apart; mkdir -p proc sys dev run tmp mnt old
    for each in proc sys dev; do mount --rbind /$each $each; done
    unshare --mount bash -c 'pivot_root . old; cd ${folder}; umount -l /old; 
      (${command}) > /tmp/output 2>&1 < /dev/null; code=$?
      cat /tmp/output > /dev/ttyS0; echo "${CODE} $code" > /dev/ttyS0; sleep 1
      echo b > /proc/sysrq-trigger'`;
}

/** What the command printed, among the kernel's own words, and how it ended. */
export function reportOf(console: string): { code: number | undefined; output: string } {
  const code = new RegExp(`${CODE} (\\d+)`).exec(console)?.[1];
  return { code: code === undefined ? undefined : Number(code), output: console };
}
