/** Answers cards that ask for their half: one exchange for each connection (`share_protocol.ts`). */
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
import { BoundedListener, readExactly, writeAll } from "../bounded_listener.ts";
import type { ShareQuestion } from "./decide.ts";

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
  readonly #listener: BoundedListener;

  /** @throws {Error} when the address can't be listened on. */
  constructor(options: ShareServerOptions) {
    this.#options = options;
    this.#listener = new BoundedListener({
      ...{ listen: options.listen, setting: "shares.listen", exchangeMs: EXCHANGE_MS },
      serve: (connection) => this.#exchange(connection),
      onFault: (what) => this.#count(what),
    });
  }

  /** Where it listens: the port that was chosen, when 0 was asked for. */
  get port(): number {
    return this.#listener.port;
  }

  [Symbol.dispose](): void {
    this.#listener[Symbol.dispose]();
  }

  async #exchange(connection: Deno.TcpConn): Promise<void> {
    const { key, decide, onAnswer } = this.#options;
    const challenge = new Uint8Array(randomBytes(CHALLENGE_BYTES));
    await writeAll(connection, concat(GREETING, challenge));
    const bytes = await readExactly(connection, REQUEST_BYTES);
    if (bytes === undefined) return this.#count("broken");
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
