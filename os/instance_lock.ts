/**
 * One gateway, one hub on a box: the kernel holds the lock for the process, and lets go when it
 * dies in whatever way. flock(2)
 */

/** Held until `release`, or until this process ends. */
export interface InstanceLock {
  release(): void;
}

/** Another process has the run folder. */
export class AlreadyRunningError extends Error {
  override readonly name = "AlreadyRunningError";
}

/**
 * Takes `ROLE.lock` in the run folder (made when missing, with `mode`) and writes this process's id
 * into it.
 * @throws {AlreadyRunningError} telling the other's process id.
 */
export async function holdInstance(
  run: string,
  { role, mode = 0o755 }: { readonly role: "gateway" | "hub"; readonly mode?: number },
): Promise<InstanceLock> {
  await Deno.mkdir(run, { recursive: true, mode });
  const path = `${run}/${role}.lock`;
  // Never truncated at opening: the holder's id must stay readable.
  const file = await Deno.open(path, { read: true, write: true, create: true, mode: 0o644 });
  if (!file.tryLockSync(true)) {
    file.close();
    const pid = (await Deno.readTextFile(path)).trim();
    throw new AlreadyRunningError(
      `Cannot start the ${role}: another one runs here (process ${pid || "unknown"}); ` +
        `stop it first, or give this one a run folder of its own`,
    );
  }
  await file.truncate();
  await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
  return { release: () => file.close() };
}
