/** QEMU's monitor: puts hardware into a guest and takes it out (docs/interop/qmp-spec in QEMU's sources). */

/** A guard against hanging. */
const LONGEST_MS = 60_000;

export class Monitor {
  readonly #connection: Deno.UnixConn;
  readonly #listeners = new Set<(message: Message) => void>();
  readonly #read: Promise<void>;

  private constructor(connection: Deno.UnixConn) {
    this.#connection = connection;
    this.#read = this.#listen();
  }

  static async open(path: string): Promise<Monitor> {
    const monitor = new Monitor(await Deno.connect({ transport: "unix", path }));
    await monitor.do("qmp_capabilities");
    return monitor;
  }

  /** @throws {Error} with QEMU's own words when it refuses. */
  async do(command: string, words: Record<string, unknown> = {}): Promise<void> {
    const answer = this.#next((message) => "return" in message || "error" in message);
    const line = JSON.stringify({ execute: command, arguments: words });
    await this.#connection.write(new TextEncoder().encode(`${line}\n`));
    const { error } = await answer;
    if (error !== undefined) throw new Error(`Cannot ${command}: ${error.desc}`);
  }

  /** Takes a device out; resolves when the guest can't reach it any more. */
  async unplug(id: string): Promise<void> {
    const gone = this.#next(({ event, data }) => event === "DEVICE_DELETED" && data?.device === id);
    await this.do("device_del", { id });
    await gone;
  }

  /** Resolves at QEMU's next event of this name. */
  async event(name: string): Promise<void> {
    await this.#next(({ event }) => event === name);
  }

  async close(): Promise<void> {
    try {
      this.#connection.close();
    } catch (error) {
      // The guest's end has closed it.
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
    await this.#read.catch(() => {});
  }

  #next(isIt: (message: Message) => boolean): Promise<Message> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#listeners.delete(hear);
        reject(new Error("Cannot go on: QEMU's monitor says nothing"));
      }, LONGEST_MS);
      const hear = (message: Message) => {
        if (!isIt(message)) return;
        clearTimeout(timer);
        this.#listeners.delete(hear);
        resolve(message);
      };
      this.#listeners.add(hear);
    });
  }

  async #listen(): Promise<void> {
    const lines = this.#connection.readable.pipeThrough(new TextDecoderStream());
    let rest = "";
    for await (const text of lines) {
      const parts = (rest + text).split("\n");
      rest = parts.pop() ?? "";
      for (const line of parts) {
        const message: Message = JSON.parse(line);
        for (const hear of [...this.#listeners]) hear(message);
      }
    }
  }
}

interface Message {
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
  readonly event?: string;
  readonly data?: { readonly device?: string };
}
