/** Our tunnel through its API on one machine, and another implementation's on the next. */
import { fileURLToPath } from "node:url";
import type { Lab } from "../lab/lab.ts";
import type { Machine, Running } from "../lab/machine.ts";
import { type Implementation, newKeys, twoMachines, WireguardEnd } from "./wireguard.ts";

const END = fileURLToPath(import.meta.resolve("./api_end.ts"));

/** One `api_end.ts` and what it says. */
export class ApiEnd {
  readonly process: Running;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  #said = "";

  private constructor(process: Running) {
    this.process = process;
    this.#lines = process.child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    this.#writer = process.child.stdin.getWriter();
  }

  static async start(
    machine: Machine,
    { args, under = [] }: { args: readonly string[]; under?: readonly string[] },
  ): Promise<ApiEnd> {
    const command = [
      ...under,
      Deno.execPath(),
      "run",
      "-A",
      "--cached-only",
      "--no-check",
      END,
      ...args,
    ];
    const end = new ApiEnd(
      await machine.spawn(command, {
        stdin: "piped",
        stdout: "piped",
        stderr: "inherit",
      }),
    );
    await end.#line();
    await machine.sh("ip addr add 10.7.0.1/24 dev wg0; ip link set wg0 up");
    return end;
  }

  /** SIGKILL: it has no time for anything. */
  async kill(): Promise<void> {
    this.process.signal("SIGKILL");
    await this.process.status;
  }

  async ask<Answer>(word: string): Promise<Answer> {
    await this.#writer.write(new TextEncoder().encode(`${word}\n`));
    return JSON.parse(await this.#line()) as Answer;
  }

  async #line(): Promise<string> {
    while (!this.#said.includes("\n")) {
      const { value, done } = await this.#lines.read();
      if (done) throw new Error("The tunnel's process has ended");
      this.#said += value;
    }
    const [line = "", ...rest] = this.#said.split("\n");
    this.#said = rest.join("\n");
    return line;
  }
}

/** `under`: what runs our end, such as `strace` with its options. */
export async function withPeer(
  lab: Lab,
  args: readonly string[],
  { implementation = "wireguard-go", under = [] }: {
    implementation?: Implementation;
    under?: readonly string[];
  } = {},
): Promise<{ end: ApiEnd; machine: Machine; peer: WireguardEnd }> {
  const { a, b } = await twoMachines(lab);
  const peer = await WireguardEnd.start(b, { implementation });
  await peer.address("10.7.0.2/24");
  const keys = await newKeys(a);
  await peer.peer(keys, "allowed-ips 10.7.0.1/32");
  const end = await ApiEnd.start(a, {
    args: [keys.privateKey, peer.keys.publicKey, "192.0.2.2:51820", ...args],
    under,
  });
  return { end, machine: a, peer };
}
