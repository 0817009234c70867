/** A card that behaves oddly, in a virtual reader inside a lab machine. */
import { fileURLToPath } from "node:url";
import type { Machine, Running } from "../lab/machine.ts";
import { sleep } from "../lab/machine.ts";

const PROGRAM = fileURLToPath(new URL("./odd_card_program.ts", import.meta.url));
/** A guard against hanging, not a measure. */
const PATIENCE_MS = 30_000;

/** Its hand: see `odd_card_program.ts` for the words. */
export class OddCard implements AsyncDisposable {
  readonly #control: string;
  readonly #running: Running;

  private constructor(control: string, running: Running) {
    this.#control = control;
    this.#running = running;
  }

  /** Starts the program with the card outside the reader. `dir` takes the control socket. */
  static async start(
    machine: Machine,
    options: { dir: string; port?: number; serial?: number },
  ): Promise<OddCard> {
    const { dir, port = 35963, serial = 12345678 } = options;
    const control = `${dir}/odd-${port}.control`;
    const running = await machine.spawn(
      [
        ...[Deno.execPath(), "run", "-A", "--cached-only", "--no-prompt", PROGRAM],
        ...[String(port), control, String(serial)],
      ],
      { stderr: "inherit" },
    );
    const card = new OddCard(control, running);
    const end = performance.now() + PATIENCE_MS;
    while (!await card.say("normal").then(() => true, () => false)) {
      if (performance.now() > end) throw new Error("Cannot start the odd card: it doesn't answer");
      await sleep(20);
    }
    return card;
  }

  async say(line: string): Promise<void> {
    using connection = await Deno.connect({ transport: "unix", path: this.#control });
    const said = new TextEncoder().encode(`${line}\n`);
    for (let at = 0; at < said.length;) at += await connection.write(said.subarray(at));
    const buffer = new Uint8Array(16);
    const count = await connection.read(buffer) ?? 0;
    const answer = new TextDecoder().decode(buffer.subarray(0, count));
    if (answer !== "ok") throw new Error(`Cannot ${line} the odd card: ${answer}`);
  }

  /** Waits until a command has come that `hold` keeps. */
  async untilHeld(): Promise<void> {
    const end = performance.now() + PATIENCE_MS;
    while (!await this.say("held").then(() => true, () => false)) {
      if (performance.now() > end) throw new Error("Waited in vain for a command");
      await sleep(20);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running.stop();
  }
}
