/** An eventfd by which one thread wakes another out of poll(2). */
import { EFD_CLOEXEC, EFD_NONBLOCK, errno, libc } from "./libc.ts";
import { errnoText } from "./errno.ts";

const ONE = new Uint8Array(new BigUint64Array([1n]).buffer);

/** Opens one; its descriptor is good in every thread of the process. */
export function openWake(): number {
  const descriptor = libc.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (descriptor < 0) throw new Error(`Cannot open an eventfd: ${errnoText(errno())}`);
  return descriptor;
}

/** Makes the descriptor readable, so that whoever polls it wakes up. */
export function wake(descriptor: number): void {
  libc.write(descriptor, ONE, 8n);
}

/** Takes back what `wake` did. */
export function clearWake(descriptor: number): void {
  libc.read(descriptor, new Uint8Array(8), 8n);
}

/** Closes the descriptor; nobody may poll it any more. */
export function closeWake(descriptor: number): void {
  libc.close(descriptor);
}
