/** At most one process holds a lock file; the kernel lets go of it however that process ends. flock(2) */

/** The lock, held until it is disposed of, or undefined when another process holds it. Makes the folder. */
export function lockInstance(path: string): Disposable | undefined {
  Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true, mode: 0o700 });
  const file = Deno.openSync(path, { create: true, write: true, mode: 0o600 });
  if (!file.tryLockSync(true)) {
    file.close();
    return undefined;
  }
  // The file stays: whoever waited for it would hold a lock on a name that is gone.
  return { [Symbol.dispose]: () => file.close() };
}
