/** A connection of a gateway to a hub, for one question. */

/** Why a hub could not be asked, as an error of the asker's own kind. */
export type Unreachable = (hub: string, why: string) => Error;

/** One connection to a hub, bounded in time. */
export class HubLine implements Disposable {
  readonly #hub: string;
  readonly #connection: Deno.TcpConn;
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #unreachable: Unreachable;

  private constructor(
    hub: string,
    connection: Deno.TcpConn,
    { end, unreachable }: { end: number; unreachable: Unreachable },
  ) {
    this.#hub = hub;
    this.#unreachable = unreachable;
    this.#connection = connection;
    this.#timer = setTimeout(() => this.#close(), Math.max(0, end - performance.now()));
  }

  /** `hub`: "host:port". `patienceMs`: from the first packet to the last. */
  static async open(
    hub: string,
    { patienceMs, unreachable }: { patienceMs: number; unreachable: Unreachable },
  ): Promise<HubLine> {
    const colon = hub.lastIndexOf(":");
    const hostname = hub.slice(0, colon).replace(/^\[|\]$/g, "");
    const end = performance.now() + patienceMs;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<"late">((done) => timer = setTimeout(() => done("late"), patienceMs));
    const connecting = Deno.connect({ hostname, port: Number(hub.slice(colon + 1)) });
    try {
      const connection = await Promise.race([connecting, late]);
      if (connection !== "late") return new HubLine(hub, connection, { end, unreachable });
      connecting.then((one) => one.close(), () => {});
      throw new Error("no answer in time");
    } catch (error) {
      throw unreachable(hub, reason(error));
    } finally {
      clearTimeout(timer);
    }
  }

  async read(count: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(count);
    for (let length = 0; length < count;) {
      const got = await this.#do(this.#connection.read(bytes.subarray(length)));
      if (got === null) throw this.#unreachable(this.#hub, "it closed the connection");
      length += got;
    }
    return bytes;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length;) {
      sent += await this.#do(this.#connection.write(bytes.subarray(sent)));
    }
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#close();
  }

  async #do<T>(step: Promise<T>): Promise<T> {
    try {
      return await step;
    } catch (error) {
      throw this.#unreachable(this.#hub, reason(error));
    }
  }

  #close(): void {
    try {
      this.#connection.close();
    } catch {
      // It is closed already.
    }
  }
}

function reason(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 120);
}
