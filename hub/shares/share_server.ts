/**
 * Answers cards that ask for their half: one exchange for each connection (`share_protocol.ts`).
 * Connections are bounded in number, in number for each address, and in time.
 */
import { randomBytes } from "node:crypto";
import { concat } from "../../token/apdu/tlv.ts";
import {
  CHALLENGE_BYTES,
  GREETING,
  type HubShareKey,
  readShareRequest,
  REQUEST_BYTES,
  type ShareAnswer,
} from "../../token/profile/share_protocol.ts";
import type { ShareRecord } from "../../token/profile/share_record.ts";
import type { ShareQuestion } from "./decide.ts";

/** Most connections at once, and of them from one address. */
export const MOST_CONNECTIONS = { all: 128, each: 8 } as const;

/** How long one may take: a person's card signs within it. */
export const EXCHANGE_MS = 15_000;

/** How many were answered, by what they were told. */
export type ShareCounts = Record<string, number>;

export interface ShareServerOptions {
  readonly listen: { readonly hostname: string; readonly port: number };
  readonly key: HubShareKey;
  readonly decide: (
    question: ShareQuestion,
  ) => { readonly answer: ShareAnswer; readonly record: ShareRecord | undefined };
  /** Hears of every answer: the record, and what it was told. */
  readonly onAnswer: (record: ShareRecord | undefined, told: string) => void;
}

export class ShareServer implements Disposable {
  readonly counts: ShareCounts = {};
  readonly #options: ShareServerOptions;
  readonly #listener: Deno.TcpListener;
  readonly #open = new Map<Deno.TcpConn, string>();

  /** @throws {Error} when the address can't be listened on. */
  constructor(options: ShareServerOptions) {
    this.#options = options;
    this.#listener = listen(options.listen);
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
        this.#count("crowded");
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
    const timer = setTimeout(() => close(connection), EXCHANGE_MS);
    try {
      await this.#exchange(connection);
    } catch {
      this.#count("broken"); // the other side went away, or took too long
    } finally {
      clearTimeout(timer);
      this.#open.delete(connection);
      close(connection);
    }
  }

  async #exchange(connection: Deno.TcpConn): Promise<void> {
    const { key, decide, onAnswer } = this.#options;
    const challenge = new Uint8Array(randomBytes(CHALLENGE_BYTES));
    await writeAll(connection, concat(GREETING, challenge));
    const bytes = new Uint8Array(REQUEST_BYTES);
    for (let length = 0; length < bytes.length;) {
      const got = await connection.read(bytes.subarray(length));
      if (got === null) return this.#count("broken");
      length += got;
    }
    const request = await readShareRequest(bytes, { key, challenge });
    if (request === undefined) return this.#count("garbage");
    const { answer, record } = decide(request);
    const told = answer.granted ? "granted" : answer.why;
    await writeAll(connection, await request.answer(answer));
    this.#count(told);
    onAnswer(record, told);
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }
}

function listen({ hostname, port }: ShareServerOptions["listen"]): Deno.TcpListener {
  try {
    return Deno.listen({ hostname, port });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(
      `Cannot listen on ${hostname}, port ${port}: ${why}; free it, or name another (shares.listen)`,
    );
  }
}

async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}

function close(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // It is closed already.
  }
}
