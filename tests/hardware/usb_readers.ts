/** In a guest: the real pcscd with libccid, which hears of USB readers from the real udev. */
import type { Machine, Running } from "../lab/machine.ts";
import { sleep } from "../lab/machine.ts";

const LIMIT_MS = 60_000;

export class UsbReaders implements AsyncDisposable {
  readonly #running: readonly Running[];

  private constructor(running: readonly Running[]) {
    this.#running = running;
  }

  /** Starts both in a machine: they must be in one network namespace to hear each other. */
  static async start(machine: Machine): Promise<UsbReaders> {
    const udev = Deno.env.get("SEKISHO_UDEV") ?? "";
    const daemon = ["bash", "-c", `exec -a systemd-udevd ${udev} --resolve-names=never`];
    const running = [await machine.spawn(daemon, { stdout: "null", stderr: "null" })];
    await until(
      "udev",
      async () => (await machine.run(["test", "-S", "/run/udev/control"])).code === 0,
    );
    // A configuration of its own: no virtual reader beside the real ones.
    await machine.sh("mkdir -p /run/pcscd/none");
    running.push(
      await machine.spawn(["pcscd", "-f", "-c", "/run/pcscd/none"], {
        stdout: "null",
        stderr: "null",
      }),
    );
    const socket = ["test", "-S", "/run/pcscd/pcscd.comm"];
    await until("pcscd", async () => (await machine.run(socket)).code === 0);
    return new UsbReaders(running);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const daemon of this.#running.toReversed()) await daemon.stop();
  }
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + LIMIT_MS; Date.now() < end; await sleep(50)) {
    if (await isSo()) return;
  }
  throw new Error(`Cannot go on: waited in vain for ${what}`);
}
