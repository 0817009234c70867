/** In a guest: the real pcscd with libccid, which hears of USB readers from the real udev. */
import assert from "node:assert/strict";
import type { Machine, Running } from "../lab/machine.ts";
import { sleep } from "../lab/machine.ts";
import type { Ground } from "../stick/place.ts";
import { MAIN, settings } from "../stick/stick.ts";

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

/** Issues a profile to the card that is in the only reader, and tells the hub of it. */
export async function issueUsbCard(
  { lab, box, hub, server }: Ground,
  { address, name }: { address: string; name: string },
): Promise<void> {
  const own = new Map([["10.7.0.2/32", address], ["Alice Example", name]]);
  const said = await tokenIn(box, [
    ...["issue", "--issuer", `${lab.dir}/issuer`, "--json"],
    ...settings(server).map((word) => own.get(word) ?? word),
  ]);
  const { clientPublicKey: publicKey } = JSON.parse(said);
  await hub.peer({ privateKey: "", publicKey }, `allowed-ips ${address}`);
}

/** What `sekisho token` printed in a machine; fails unless it exits with 0. */
export async function tokenIn(machine: Machine, words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await machine.run([
    ...[Deno.execPath(), "run", "-A", "--cached-only", "--no-check", "--no-prompt", MAIN],
    ...["token", ...words],
  ]);
  assert.equal(code, 0, `token ${words[0]}: ${stdout}${stderr}`);
  return stdout;
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + LIMIT_MS; Date.now() < end; await sleep(50)) {
    if (await isSo()) return;
  }
  throw new Error(`Cannot go on: waited in vain for ${what}`);
}
