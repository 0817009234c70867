/** What people and systems see on a stick: launchers, the runtime, and a note. @core */

/** A small file of the visible part. */
export interface VisibleText {
  readonly name: string;
  readonly text: string;
}

/** A runtime for one kind of computer, as the stick names it. */
export interface RuntimeName {
  /** As `uname -m` says it. */
  readonly machine: string;
  /**
   * Ends in .com: where a desktop mounts FAT with `showexec`, the kernel lets run only what Windows
   * would run (mount(8), "Mount options for vfat").
   */
  readonly name: string;
}

/** By the machine's number in an ELF header (elf(5), e_machine). */
export const RUNTIMES: Readonly<Record<number, RuntimeName>> = {
  62: { machine: "x86_64", name: "linux-x64.com" },
  183: { machine: "aarch64", name: "linux-a64.com" },
};

/** The name of the launcher's program. */
export const LAUNCHER_NAME = "launcher.js";

/** What the texts name. Digests are SHA-256 in hexadecimal. */
export interface VisibleFacts {
  readonly runtimes: readonly (RuntimeName & { readonly digest: string })[];
  readonly launcherDigest: string;
  /** The issuer's public key, base64url. */
  readonly issuer: string;
  readonly version: string;
}

/** The texts of the visible part. */
export function visibleTexts(facts: VisibleFacts): VisibleText[] {
  return [
    { name: "start.sh", text: startScript(facts) },
    { name: "start.command", text: MAC_LAUNCHER },
    { name: "start.cmd", text: dos(WINDOWS_LAUNCHER) },
    { name: "README.txt", text: dos(note(facts)) },
  ];
}

function startScript({ runtimes, launcherDigest, issuer, version }: VisibleFacts): string {
  const cases = runtimes.map(({ machine, name, digest }) =>
    `  ${machine}) runtime=${name} digest=${digest} ;;`
  );
  return `#!/bin/sh
# Starts the client on this stick (Sekisho ${version}): sudo sh start.sh
# It runs from memory and writes nothing to this computer.
set -u
fail() { echo "Cannot start: $1" >&2; exit 1; }
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd -P) || fail "its folder can't be entered"
[ "$(uname -s)" = Linux ] || fail "this launcher is for Linux; read README.txt"
case $(uname -m) in
${cases.join("\n")}
  *) fail "this stick carries nothing for a $(uname -m) computer; ask who made it" ;;
esac
[ "$(id -u)" = 0 ] || fail "the hidden part and the network need root; use: sudo sh start.sh"
command -v sha256sum >/dev/null || fail "sha256sum is missing; install coreutils"
whole() {
  [ "$(sha256sum < "$here/$1" | cut -c 1-64)" = "$2" ] ||
    fail "$1 on this stick is damaged; tell your administrator"
}
whole "$runtime" "$digest"
whole ${LAUNCHER_NAME} ${launcherDigest}
# The runtime keeps no cache, asks for no news of itself, and reads no configuration.
set -- run -A -q --no-prompt --no-config --no-lock --no-remote --no-npm --no-code-cache \\
  --cached-only "$here/${LAUNCHER_NAME}" --trust ${issuer} \\
  --runtime "$here/$runtime" --visible "$here" "$@"
[ -x "$here/$runtime" ] || {
  # Mounted so that nothing is marked as a program: the system's own loader can still load it.
  for loader in /lib64/ld-linux-x86-64.so.2 /lib/ld-linux-aarch64.so.1; do
    [ -x $loader ] && $loader --verify "$here/$runtime" >/dev/null 2>&1 || continue
    set -- "$here/$runtime" "$@"
    runtime=
    break
  done
  [ -z "$runtime" ] || fail "the stick is mounted without exec; mount -o remount,exec its folder"
}
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM="\${TERM:-dumb}" HOME=/nonexistent \\
  DENO_DIR=/dev/null/none DENO_NO_UPDATE_CHECK=1 NO_COLOR=1 \\
  "\${runtime:+$here/}\${runtime:-$loader}" "$@"
`;
}

const MAC_LAUNCHER = `#!/bin/sh
echo "This stick does not start on macOS yet: it carries the client for Linux only."
echo "It works in a Sekisho gateway's USB port, and on a computer that runs Linux."
echo "Nothing was changed on this computer."
exit 1
`;

const WINDOWS_LAUNCHER = `@echo off
echo This stick does not start on Windows yet: it carries the client for Linux only.
echo It works in a Sekisho gateway's USB port, and on a computer that runs Linux.
echo Nothing was changed on this computer.
pause
exit /b 1
`;

function note({ runtimes, version }: VisibleFacts): string {
  return `Sekisho ${version}: a network client on a stick

LINUX (${runtimes.map(({ machine }) => machine).join(", ")})
  Open a terminal in this folder and run:   sudo sh start.sh
  It asks for your password, connects, and shows that it is connected.
  Ctrl-C ends it; so does pulling the stick. Nothing stays on the computer.

A SEKISHO GATEWAY
  Put the stick into the gateway's USB port and enter your password on its page.

WINDOWS AND MACOS
  Not supported yet: the client on this stick runs on Linux only. start.cmd and
  start.command say the same and change nothing.

If Windows asks whether to format this stick: no. Its hidden part would be lost.

"Wrong password" means: try again. "Damaged" means: tell your administrator.
`;
}

/** Windows' editors and its command interpreter want both line ends. */
function dos(text: string): string {
  return text.replaceAll("\n", "\r\n");
}
