/** One terminal's reader, connected over TLS: its commands wait for a lease and run within it. */
import {
  encodeFrame,
  encodePlace,
  encodeText,
  LINK,
  LINK_VERSION,
  LinkDeframer,
  type LinkFrame,
} from "../../token/share/link.ts";
import type { LeaseEnd, LeaseId, LeaseRefusal } from "../../token/share/lease_events.ts";
import type { LeaseClient, LeaseTerminal, Sharing } from "./sharing.ts";

/** What one link may have waiting to be sent before it counts as dead, in frames. */
const MOST_UNSENT = 64;

export interface ReaderLinkParts {
  readonly connection: Deno.TlsConn;
  readonly sharing: Sharing;
  readonly atr: Uint8Array;
  readonly terminal: LeaseTerminal;
}

export class ReaderLink implements LeaseClient {
  readonly #parts: ReaderLinkParts;
  readonly #deframer = new LinkDeframer();
  #lease: LeaseId | undefined;
  #isGranted = false;
  #pending: Uint8Array | undefined;
  #sending: Promise<void> = Promise.resolve();
  #unsent = 0;
  #isOver = false;

  constructor(parts: ReaderLinkParts) {
    this.#parts = parts;
  }

  /** Whether it has the card, or waits for it. */
  get isInUse(): boolean {
    return this.#lease !== undefined;
  }

  /** Serves until the terminal hangs up; tells what was wrong with it, if anything. */
  async run(): Promise<string | undefined> {
    const { connection, atr, sharing } = this.#parts;
    const buffer = new Uint8Array(16_384);
    let wrong: string | undefined;
    try {
      let isGreeted = false;
      for (;;) {
        const count = await connection.read(buffer);
        if (count === null) break;
        const frames = this.#deframer.push(buffer.subarray(0, count));
        buffer.fill(0, 0, count);
        if (frames === "too-long") {
          wrong = "a frame that is too long";
          break;
        }
        for (const frame of frames) {
          if (!isGreeted) {
            isGreeted = frame.kind === LINK.hello && frame.body[0] === LINK_VERSION;
            if (isGreeted) this.#send(encodeFrame(LINK.card, atr));
            else wrong = "no greeting of a reader";
          } else wrong = this.#hear(frame);
          if (wrong !== undefined) break;
        }
        if (wrong !== undefined) break;
      }
    } catch {
      // It broke off: as if it had hung up.
    }
    this.#isOver = true;
    this.#forget();
    if (this.#lease !== undefined) sharing.leave(this.#lease);
    if (wrong !== undefined) await bounded(this.#sending);
    close(connection);
    return wrong;
  }

  refused(why: LeaseRefusal): void {
    this.#lease = undefined;
    this.#forget();
    this.#send(encodeText(LINK.refused, why));
  }

  place(place: number, holder: string): void {
    this.#send(encodePlace({ place, holder }));
  }

  granted(lastsMs: number): void {
    this.#isGranted = true;
    const body = new Uint8Array(4);
    new DataView(body.buffer).setUint32(0, lastsMs);
    this.#send(encodeFrame(LINK.granted, body));
    void this.#runPending();
  }

  ended(reason: LeaseEnd): void {
    this.#lease = undefined;
    this.#isGranted = false;
    this.#forget();
    this.#send(encodeText(LINK.ended, reason));
  }

  #hear({ kind, body }: LinkFrame): string | undefined {
    const { sharing, terminal } = this.#parts;
    switch (kind) {
      case LINK.command:
        if (this.#pending !== undefined) return "a command before the answer to the last";
        if (body.length < 4) return "a command that is too short";
        this.#pending = body;
        if (this.#isGranted) void this.#runPending();
        else this.#lease ??= sharing.request(this, { terminal, way: "reader" });
        return undefined;
      case LINK.reset:
        if (this.#pending !== undefined) return "a reset before the answer to a command";
        if (this.#lease !== undefined && this.#isGranted) this.#watch(sharing.reset(this.#lease));
        return undefined;
      case LINK.release:
        if (this.#lease !== undefined) sharing.leave(this.#lease);
        return undefined;
      default:
        return `a frame of kind ${kind}`;
    }
  }

  async #runPending(): Promise<void> {
    const command = this.#pending;
    if (command === undefined || this.#lease === undefined) return;
    // A reset on its way comes first.
    await this.#resetting;
    if (this.#lease === undefined) return;
    const work = this.#parts.sharing.exchange(this.#lease, command);
    this.#watch(work);
    const answer = await work.catch(() => undefined);
    if (this.#pending === command) this.#pending = undefined;
    if (answer?.is !== "response" || this.#isOver) return;
    this.#send(encodeFrame(LINK.response, answer.apdu));
    answer.apdu.fill(0);
  }

  #resetting: Promise<unknown> = Promise.resolve();

  /** The engine itself ends over a card that is gone; here it only must not be waited for. */
  #watch(work: Promise<unknown>): void {
    this.#resetting = work.catch(() => {});
  }

  #forget(): void {
    this.#pending?.fill(0);
    this.#pending = undefined;
  }

  #send(bytes: Uint8Array): void {
    if (this.#unsent >= MOST_UNSENT) return close(this.#parts.connection);
    this.#unsent++;
    this.#sending = this.#sending.then(async () => {
      try {
        for (let at = 0; at < bytes.length;) {
          at += await this.#parts.connection.write(bytes.subarray(at));
        }
      } catch {
        close(this.#parts.connection);
      } finally {
        bytes.fill(0);
        this.#unsent--;
      }
    });
  }
}

/** A terminal that doesn't read its last message isn't waited for. */
async function bounded(work: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  await Promise.race([work, new Promise((resolve) => timer = setTimeout(resolve, 1_000))]);
  clearTimeout(timer);
}

function close(connection: Deno.TlsConn): void {
  try {
    connection.close();
  } catch {
    // Closed already.
  }
}
