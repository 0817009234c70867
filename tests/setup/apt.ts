/** Installs Debian packages without starting the services in them. */

const GUARD = "/usr/sbin/policy-rc.d";
const GUARD_TEXT =
  "#!/bin/sh\n# Put here by the set-up step of sekisho while it installs; safe to delete.\nexit 101\n";
const LOCK_WAIT_SECONDS = 300;
const RETRY_SECONDS = 3;

/** Tells what apt is at, for a line of progress. */
export type Progress = (doing: string) => void;

/** Installs `names`; throws with apt's own words when it can't. */
export async function aptInstall(names: readonly string[], progress: Progress): Promise<void> {
  const liftGuard = guardServices();
  try {
    progress("installing");
    const install = ["install", "--yes", "--no-install-recommends", ...names];
    const first = await aptGet(install, progress);
    if (first.success) return;
    if (!listsAreOld(first.said)) throw failure("install packages", first.said);
    progress("fetching the list of packages");
    const update = await aptGet(["update"], progress);
    if (!update.success) throw failure("fetch the list of packages", update.said);
    progress("installing");
    const second = await aptGet(install, progress);
    if (!second.success) throw failure("install packages", second.said);
  } finally {
    liftGuard();
  }
}

/** Whether apt failed because it knows nothing, or something outdated, of what the mirror has. */
export function listsAreOld(said: string): boolean {
  return /Unable to locate package|no installation candidate|404 +Not Found|Unable to fetch some archives/
    .test(said);
}

/** Whether apt failed only because somebody else is installing now. */
export function isLocked(said: string): boolean {
  return /Could not get lock|Unable to acquire the dpkg|is another process using it/.test(said);
}

async function aptGet(
  args: readonly string[],
  progress: Progress,
): Promise<{ success: boolean; said: string }> {
  for (let waited = 0;; waited += RETRY_SECONDS) {
    const { success, stdout, stderr } = await new Deno.Command("apt-get", {
      args: ["-q", "-o", "Dpkg::Use-Pty=0", "-o", "Dpkg::Options::=--force-confold", ...args],
      env: { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8", NEEDRESTART_SUSPEND: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    if (success || !isLocked(said) || waited >= LOCK_WAIT_SECONDS) return { success, said };
    progress("waiting for another installation to end");
    await new Promise((resolve) => setTimeout(resolve, RETRY_SECONDS * 1000));
  }
}

/**
 * Forbids the packages' scripts to start services, unless the machine has a rule of its own. One
 * left by a run that was killed is ours to take away.
 */
function guardServices(): () => void {
  try {
    if (Deno.readTextFileSync(GUARD) !== GUARD_TEXT) return () => {};
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    Deno.writeTextFileSync(GUARD, GUARD_TEXT, { mode: 0o755 });
  }
  return () => Deno.removeSync(GUARD);
}

function failure(what: string, said: string): Error {
  const errors = said.split("\n").filter((line) => /^(E:|Err:|dpkg: error)/.test(line));
  const why = (errors.length > 0 ? errors : said.trim().split("\n").slice(-3)).join(" ");
  return new Error(`Cannot ${what}: ${why}; mend it, or install by hand, and start again`);
}
