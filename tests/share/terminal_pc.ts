/** A PC on the LAN with its own pcscd, whose virtual reader shows the gateway's card. */
import { fileURLToPath } from "node:url";
import { type Pcscd, startPcscd } from "../lab/pcscd.ts";
import { type Machine, type Running, type RunResult, sleep } from "../lab/machine.ts";
import type { Box } from "../story/box.ts";

const MAIN = fileURLToPath(new URL("../../main.ts", import.meta.url));
const PATIENCE_MS = 60_000;

export class TerminalPc implements AsyncDisposable {
  readonly machine: Machine;
  readonly #helper: Running;
  readonly #pcscd: Pcscd;
  /** What the helper told the person at the terminal. */
  readonly said: string[] = [];
  readonly #folder: string;

  private constructor(
    machine: Machine,
    parts: { helper: Running; pcscd: Pcscd; folder: string },
  ) {
    this.machine = machine;
    this.#helper = parts.helper;
    this.#pcscd = parts.pcscd;
    this.#folder = parts.folder;
    void this.#listen();
  }

  /** Starts helper and pcscd; the card comes when the gateway lends it. `folder`: where tools work. */
  static async start(
    machine: Machine,
    { box, folder, authority }: { box: Box; folder: string; authority?: string },
  ): Promise<TerminalPc> {
    await machine.quickAckLoopback();
    const ca = `${folder}/${machine.name}-authority.pem`;
    await Deno.writeTextFile(ca, authority ?? box.authority);
    const host = new URL(box.portal).hostname;
    const helper = await machine.spawn([
      ...[Deno.execPath(), "run", "-A", "--cached-only", "--no-prompt", "--no-check", MAIN],
      ...["terminal", "reader", "--gateway", host, "--ca", ca],
    ], { stderr: "piped", env: { DENO_NO_UPDATE_CHECK: "1" } });
    const pcscd = await startPcscd(machine);
    // vpcd listens on every address; a terminal closes that.
    await machine.sh(`nft -f - <<'END'
table inet reader {
  chain entering {
    type filter hook input priority filter; policy accept;
    iifname != "lo" tcp dport { 35963, 35964 } reject
  }
}
END`);
    return new TerminalPc(machine, { helper, pcscd, folder });
  }

  /** Runs a script in the folder. */
  run(script: string): Promise<RunResult> {
    return this.machine.run(["timeout", "180", "bash", "-c", `cd ${this.#folder}; ${script}`]);
  }

  async must(script: string): Promise<string> {
    const { code, stdout, stderr } = await this.run(`set -e; ${script}`);
    if (code !== 0) {
      throw new Error(
        `${this.machine.name}: ${script}: ${stdout}${stderr} (${code})\n${this.said.join("\n")}`,
      );
    }
    return stdout;
  }

  /** A stock program that has opened the card, and holds it until it is disposed of. */
  async hold(): Promise<AsyncDisposable> {
    const explorer = await this.machine.spawn(["opensc-explorer", "--mf", ""], {
      stdin: "piped",
      stdout: "piped",
    });
    const said = explorer.child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; !text.includes("]> ");) {
      const { value, done } = await said.read();
      if (done) throw new Error(`${this.machine.name}: the card can't be held: ${text}`);
      text += value;
    }
    return {
      async [Symbol.asyncDispose]() {
        await explorer.child.stdin.close();
        await explorer.status;
        await said.cancel();
      },
    };
  }

  /** Waits until the helper has said something like this since `from` (a length of `said`). */
  async untilSaid(what: RegExp, from = 0): Promise<void> {
    const end = Date.now() + PATIENCE_MS;
    while (!this.said.slice(from).some((line) => what.test(line))) {
      if (Date.now() > end) {
        throw new Error(`${this.machine.name} never says ${what}:\n${this.said.join("\n")}`);
      }
      await sleep(20);
    }
  }

  /** Waits until pcscd here has a card (or has none). */
  async untilCard(present: boolean): Promise<void> {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const { code } = await this.run("timeout 20 opensc-tool -a");
      if ((code === 0) === present) return;
      if (Date.now() > end) throw new Error(`${this.machine.name}: the card is not ${present}`);
      await sleep(200);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pcscd.stop();
    await this.#helper.stop();
  }

  async #listen(): Promise<void> {
    let held = "";
    for await (const chunk of this.#helper.child.stderr.pipeThrough(new TextDecoderStream())) {
      const lines = (held + chunk).split("\n");
      held = lines.pop() ?? "";
      this.said.push(...lines);
    }
  }
}
