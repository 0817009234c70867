/**
 * Whoever stands beside a guest and has its hardware in hand: a test in the guest asks by a line
 * over a serial port, and hears when it was done.
 */
import { labTest } from "../lab/needs.ts";

/** Where a test in a guest finds the port; a test without is not in such a guest. */
const PORT = "SEKISHO_HANDS";

const noHands: string | undefined = Deno.env.get(PORT) === undefined
  ? "needs hardware that is plugged and pulled; see tests/hardware/guest_test.ts"
  : undefined;

/** A test in a guest beside which somebody stands; skipped in plain sight elsewhere. */
export function handsTest(name: string, run: () => Promise<void>): void {
  if (noHands === undefined) labTest(name, run);
  else Deno.test.ignore(`${name} (skipped: ${noHands})`, () => {});
}

/** In the guest: has this done, in the order asked. */
export class Hands implements Disposable {
  readonly #port: Deno.FsFile;

  private constructor(port: Deno.FsFile) {
    this.#port = port;
  }

  static async open(): Promise<Hands> {
    const path = Deno.env.get(PORT) ?? "";
    await new Deno.Command("stty", { args: ["-F", path, "raw", "-echo"] }).output();
    return new Hands(await Deno.open(path, { read: true, write: true }));
  }

  /** @throws {Error} with the reason when it could not be done. */
  async do(what: string): Promise<void> {
    await this.#port.write(new TextEncoder().encode(`${what}\n`));
    let said = "";
    const buffer = new Uint8Array(256);
    while (!said.includes("\n")) {
      const count = await this.#port.read(buffer);
      if (count === null) throw new Error(`Cannot ${what}: nobody is beside this guest`);
      said += new TextDecoder().decode(buffer.subarray(0, count));
    }
    if (said.trim() !== "done") throw new Error(`Cannot ${what}: ${said.trim()}`);
  }

  [Symbol.dispose](): void {
    this.#port.close();
  }
}

/** Outside: does what is asked, by these deeds, until the guest is gone; says so, as a guest is slow. */
export async function lendHands(
  port: Deno.UnixConn,
  deeds: Readonly<Record<string, () => Promise<void>>>,
): Promise<void> {
  const writer = port.writable.getWriter();
  const began = performance.now();
  let rest = "";
  for await (const text of port.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const deed = deeds[line.trim()];
      const answer = deed === undefined
        ? "nobody knows how"
        : await deed().then(() => "done", (error: unknown) => `${error}`.replaceAll("\n", " "));
      console.log(`${Math.round((performance.now() - began) / 1000)} s: ${line.trim()}: ${answer}`);
      await writer.write(new TextEncoder().encode(`${answer}\n`));
    }
  }
}
