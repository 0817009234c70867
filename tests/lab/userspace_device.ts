/** Waiting for a userspace WireGuard device without ending it by the question. */
import type { Machine, Running } from "./machine.ts";
import { sleep } from "./machine.ts";

/** Against hanging only. */
const LIMIT_MS = 30_000;

/**
 * Waits until `wg` can configure the device that `process` serves. `wg` deletes a socket that refuses
 * it, so it must not be asked between a device's bind and its listen: wireguard-go, which then finds
 * its socket gone, ends.
 * @throws {Error} when the process ends instead.
 */
export async function untilConfigurable(
  { machine, ifname, process }: { machine: Machine; ifname: string; process: Running },
): Promise<void> {
  let ended: Deno.CommandStatus | undefined;
  void process.status.then((status) => ended = status);
  for (const end = Date.now() + LIMIT_MS; Date.now() < end;) {
    if (ended !== undefined) {
      throw new Error(
        `Cannot start ${ifname} in ${machine.name}: its process ended (${
          ended.signal ?? ended.code
        })`,
      );
    }
    if (
      isListening(machine, ifname) && (await machine.run(["wg", "show", ifname])).code === 0
    ) return;
    await sleep(20);
  }
  throw new Error(`Waited in vain for ${ifname} in ${machine.name}`);
}

/** Whether a device's configuration socket listens, as the kernel lists it; nobody is asked. */
function isListening(machine: Machine, ifname: string): boolean {
  // Num, RefCount, Protocol, Flags, Type, St, Inode, Path: 10000 is __SO_ACCEPTCON. Ours is bound
  // under another name before it gets its own.
  const listening = new RegExp(
    `^\\S+ \\S+ \\S+ 00010000 \\S+ \\S+ +\\d+ \\S+/wireguard/${ifname}\\.sock(\\.new)?$`,
    "m",
  );
  return listening.test(Deno.readTextFileSync(`/proc/${machine.pid}/net/unix`));
}
