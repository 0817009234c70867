/** Network namespaces (network_namespaces(7)) of single threads. */
import { cString, libc, O_CLOEXEC, O_RDONLY } from "./libc.ts";

const CLONE_NEWNET = 0x40000000;
const OF_THIS_THREAD = "/proc/thread-self/ns/net";

/** Whether the namespace with this descriptor is the one of the calling thread. */
export function isOwnNamespace(descriptor: number): boolean {
  try {
    return Deno.readLinkSync(`/proc/self/fd/${descriptor}`) === Deno.readLinkSync(OF_THIS_THREAD);
  } catch {
    return false; // no /proc here: then `inNamespace` fails too
  }
}

/**
 * Does something in the namespace with this descriptor; what is opened there stays there. Undefined
 * if this process may not go there. `action` must be synchronous, since the thread is another's
 * meanwhile.
 */
export function inNamespace<Result>(
  descriptor: number,
  action: () => Result,
): Result | undefined {
  const home = libc.open(cString(OF_THIS_THREAD), O_RDONLY | O_CLOEXEC, 0);
  if (home < 0) return undefined;
  try {
    if (libc.setns(descriptor, CLONE_NEWNET) !== 0) return undefined;
    try {
      return action();
    } finally {
      comeBack(home);
    }
  } finally {
    libc.close(home);
  }
}

/** Who may go to another namespace may come back to one that it holds open. */
function comeBack(home: number): void {
  if (libc.setns(home, CLONE_NEWNET) === 0) return;
  throw new Error("Cannot return to this thread's network namespace: setns(2) failed");
}
