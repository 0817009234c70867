/** A TCP listener for one short exchange each: bounded in number, for each address, and in time. */

/** Most connections at once, and of them from one address. */
export const MOST_CONNECTIONS = { all: 128, each: 8 } as const;

export interface BoundedListenerOptions {
  readonly listen: { readonly hostname: string; readonly port: number };
  /** The configuration's word for `listen`, for the error. */
  readonly setting: string;
  readonly exchangeMs: number;
  readonly serve: (connection: Deno.TcpConn) => Promise<void>;
  /** "crowded": one was turned away; "broken": the other side went away, or took too long. */
  readonly onFault: (what: "crowded" | "broken") => void;
}

export class BoundedListener implements Disposable {
  readonly #options: BoundedListenerOptions;
  readonly #listener: Deno.TcpListener;
  readonly #open = new Map<Deno.TcpConn, string>();

  /** @throws {Error} when the address can't be listened on. */
  constructor(options: BoundedListenerOptions) {
    this.#options = options;
    this.#listener = listen(options);
    void this.#accept();
  }

  /** Where it listens: the port that was chosen, when 0 was asked for. */
  get port(): number {
    return this.#listener.addr.port;
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    for (const connection of this.#open.keys()) close(connection);
  }

  async #accept(): Promise<void> {
    for (;;) {
      let connection: Deno.TcpConn;
      try {
        connection = await this.#listener.accept();
      } catch (error) {
        // A connection may end before it is taken; a closed listener is the end.
        if (error instanceof Deno.errors.BadResource) return;
        if (error instanceof Deno.errors.Interrupted) return;
        await new Promise((resolve) => setTimeout(resolve, 50));
        continue;
      }
      const { hostname } = connection.remoteAddr;
      if (this.#isFull(hostname)) {
        this.#options.onFault("crowded");
        close(connection);
        continue;
      }
      this.#open.set(connection, hostname);
      void this.#serve(connection);
    }
  }

  #isFull(hostname: string): boolean {
    const own = [...this.#open.values()].filter((other) => other === hostname).length;
    return this.#open.size >= MOST_CONNECTIONS.all || own >= MOST_CONNECTIONS.each;
  }

  async #serve(connection: Deno.TcpConn): Promise<void> {
    const timer = setTimeout(() => close(connection), this.#options.exchangeMs);
    try {
      await this.#options.serve(connection);
    } catch {
      this.#options.onFault("broken");
    } finally {
      clearTimeout(timer);
      this.#open.delete(connection);
      close(connection);
    }
  }
}

/** Reads exactly so many bytes; `undefined` when the connection ends before. */
export async function readExactly(
  connection: Deno.TcpConn,
  count: number,
): Promise<Uint8Array | undefined> {
  const bytes = new Uint8Array(count);
  for (let length = 0; length < count;) {
    const got = await connection.read(bytes.subarray(length));
    if (got === null) return undefined;
    length += got;
  }
  return bytes;
}

/** Writes everything. */
export async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}

function listen({ listen: { hostname, port }, setting }: BoundedListenerOptions): Deno.TcpListener {
  try {
    return Deno.listen({ hostname, port });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(
      `Cannot listen on ${hostname}, port ${port}: ${why}; free it, or name another (${setting})`,
    );
  }
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // It is closed already.
  }
}
