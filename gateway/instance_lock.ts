/** One gateway on one box: the kernel holds the lock for the process, and lets go when it dies. */

/** Held until `release`, or until this process ends in whatever way. */
export interface InstanceLock {
  release(): void;
}

/** Another gateway has the run folder. */
export class AlreadyRunningError extends Error {
  override readonly name = "AlreadyRunningError";
}

/**
 * Takes `gateway.lock` in the run folder (made when missing) and writes this process's id into it.
 * @throws {AlreadyRunningError} telling the other's process id.
 */
export async function holdInstance(run: string): Promise<InstanceLock> {
  await Deno.mkdir(run, { recursive: true, mode: 0o755 });
  const path = `${run}/gateway.lock`;
  // Never truncated at opening: the holder's id must stay readable.
  const file = await Deno.open(path, { read: true, write: true, create: true, mode: 0o644 });
  if (!file.tryLockSync(true)) {
    file.close();
    const pid = (await Deno.readTextFile(path)).trim();
    throw new AlreadyRunningError(
      `Cannot start the gateway: another one runs here (process ${pid || "unknown"}); ` +
        `stop it first, or give this one a run folder of its own`,
    );
  }
  await file.truncate();
  await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
  return { release: () => file.close() };
}
