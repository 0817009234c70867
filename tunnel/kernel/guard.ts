/**
 * Sees to it that an interface in the kernel, and with it the keys in the kernel, don't outlive the
 * process that made it, however that ends: a shell waits on a pipe whose other end only this process
 * holds, and deletes the interface when the pipe breaks.
 */

/**
 * $1 the interface, $2 its index: another of the same name is somebody else's. The first line says
 * that it waits; "done" on its input that there is nothing left to do. What tells a whole service to
 * end reaches the guard too, and must not end it before the process that it waits for.
 */
const SCRIPT = `trap "" HUP INT TERM
echo ready
read -r word && [ "$word" = done ] && exit 0
case "$(ip -o link show dev "$1")" in "$2: "*) exec ip link del dev "$1";; esac`;

export class Guard {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#input = child.stdin.getWriter();
  }

  /** @throws {Error} when it can't be started: then the interface must go. */
  static async start(ifname: string, index: number): Promise<Guard> {
    const child = new Deno.Command("/bin/sh", {
      args: ["-c", SCRIPT, "sekisho-guard", ifname, `${index}`],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
      // What ends this process by its group or terminal must not end the guard first.
      detached: true,
    }).spawn();
    const guard = new Guard(child);
    const reader = child.stdout.getReader();
    const { done } = await reader.read();
    await reader.cancel();
    if (done) throw new Error("Cannot guard the interface: /bin/sh did not start; install dash");
    child.unref();
    return guard;
  }

  /** There is nothing left to guard. */
  async dismiss(): Promise<void> {
    try {
      await this.#input.write(new TextEncoder().encode("done\n"));
      await this.#input.close();
    } catch {
      // It was killed: nobody guards, and there is nothing to guard.
    }
    await this.#child.status;
  }
}
