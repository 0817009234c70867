/** pcscd and a software card in a machine, reached from this process through the machine's own /run. */
import { Lab } from "../lab/lab.ts";
import type { Machine } from "../lab/machine.ts";
import { type Pcscd, type Softcard, startPcscd, startSoftcard } from "../lab/pcscd.ts";

/** libpcsclite reads its socket's name once in a process, so that name is a link that moves. */
const LINK = `${Deno.makeTempDirSync({ prefix: "sekisho-reader-" })}/pcscd`;
globalThis.addEventListener("unload", () => {
  Deno.removeSync(LINK.replace(/\/pcscd$/, ""), { recursive: true });
});

export class ReaderLab implements AsyncDisposable {
  /** For programs inside the machine: there pcscd's socket is where it always is. */
  static readonly insideEnv = { PCSCLITE_CSOCK_NAME: "/run/pcscd/pcscd.comm" };
  readonly lab: Lab;
  readonly machine: Machine;
  pcscd: Pcscd | undefined;
  card: Softcard | undefined;

  private constructor(lab: Lab, machine: Machine) {
    this.lab = lab;
    this.machine = machine;
  }

  /** A machine whose pcscd is the one that libpcsclite finds in this process from now on. */
  static async open(): Promise<ReaderLab> {
    const lab = await Lab.open();
    const machine = await lab.machine("reader");
    await machine.quickAckLoopback();
    await Deno.remove(LINK).catch(() => {});
    await Deno.symlink(`/proc/${machine.pid}/root/run/pcscd`, LINK);
    Deno.env.set("PCSCLITE_CSOCK_NAME", `${LINK}/pcscd.comm`);
    return new ReaderLab(lab, machine);
  }

  async startService(): Promise<Pcscd> {
    return this.pcscd = await startPcscd(this.machine);
  }

  async startCard(options: { removed?: boolean } = {}): Promise<Softcard> {
    const state = `${this.lab.dir}/card.state`;
    return this.card = await startSoftcard(this.machine, { state, ...options });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.card?.stop();
    await this.pcscd?.stop();
    await this.lab[Symbol.asyncDispose]();
  }
}
