/**
 * The gateway's card in a terminal's own virtual reader: a connection to this machine's vpcd is a
 * card in it, and is there whenever the gateway lends one. The first command asks for a lease, and
 * the card "leaves" when the lease ends, so that no program goes on with a card that was reset
 * behind its back. vpcd's questions whether a card is there are answered from here.
 */
import { Deframer, frame, VPCD_CONTROL } from "../softcard/vpcd_framing.ts";
import {
  decodePlace,
  encodeFrame,
  LINK,
  LINK_VERSION,
  LinkDeframer,
  type LinkFrame,
} from "./link.ts";
import { whyNoCard } from "./why_no_card.ts";

/** How long before dialling the gateway again, in milliseconds. */
const REDIAL_MS = 1_000;
/** How often the card is offered to a vpcd that isn't there, in milliseconds. */
const OFFER_MS = 200;
/** pcscd looks every 400 ms: a card that is away for less would pass for one that never left. */
const ABSENCE_MS = 1_200;

export interface TerminalReaderOptions {
  readonly gateway: { readonly hostname: string; readonly port: number };
  /** The authority that vouches for the gateway, PEM. */
  readonly authority: string;
  /** Where this machine's vpcd listens. */
  readonly port: number;
  readonly say: (line: string) => void;
  /** How long the card stays out of the reader when it leaves, in milliseconds; for tests. */
  readonly absenceMs?: number;
}

/** Serves until the signal. */
export async function runTerminalReader(
  options: TerminalReaderOptions,
  signal: AbortSignal,
): Promise<void> {
  const reader = new TerminalReader(options);
  signal.addEventListener("abort", () => reader.stop(), { once: true });
  await Promise.all([reader.follow(), reader.offer()]);
}

class TerminalReader {
  readonly #options: TerminalReaderOptions;
  #link: Deno.TlsConn | undefined;
  #atr: Uint8Array | undefined;
  #vpcd: Deno.TcpConn | undefined;
  #awayUntil = 0;
  readonly #absenceMs: number;
  #hasLease = false;
  #awaitsAnswer = false;
  #said = "";
  #isOver = false;

  constructor(options: TerminalReaderOptions) {
    this.#options = options;
    this.#absenceMs = options.absenceMs ?? ABSENCE_MS;
  }

  stop(): void {
    this.#isOver = true;
    close(this.#link);
    this.#leave();
  }

  /** Keeps a link to the gateway for as long as it has a card that is lent. */
  async follow(): Promise<void> {
    const { gateway, authority } = this.#options;
    while (!this.#isOver) {
      let seen = "it hung up";
      try {
        const link = await Deno.connectTls({ ...gateway, caCerts: [authority] });
        this.#link = link;
        await send(link, encodeFrame(LINK.hello, Uint8Array.of(LINK_VERSION)));
        await this.#hearAll(link);
      } catch (error) {
        seen = reasonOf(error);
      }
      close(this.#link);
      this.#link = undefined;
      this.#atr = undefined;
      this.#leave();
      await this.#sayNoCard(seen);
      await new Promise((resolve) => setTimeout(resolve, REDIAL_MS));
    }
  }

  /** Puts the gateway's card into vpcd's reader, again and again. */
  async offer(): Promise<void> {
    while (!this.#isOver) {
      if (this.#atr !== undefined && Date.now() >= this.#awayUntil) await this.#insert();
      await new Promise((resolve) => setTimeout(resolve, OFFER_MS));
    }
  }

  /** One connection to vpcd: a card in the reader for as long as it lasts. */
  async #insert(): Promise<void> {
    let connection: Deno.TcpConn;
    try {
      connection = await Deno.connect({ hostname: "127.0.0.1", port: this.#options.port });
    } catch (error) {
      const { port } = this.#options;
      return this.#say(`No virtual reader at 127.0.0.1 port ${port} (${reasonOf(error)}).`);
    }
    // Lost meanwhile: vpcd would ask for its answer to reset, and wait for that for ever.
    if (this.#atr === undefined) return close(connection);
    this.#vpcd = connection;
    connection.setNoDelay(true);
    const deframer = new Deframer();
    const buffer = new Uint8Array(4_096);
    try {
      for (;;) {
        const count = await connection.read(buffer);
        if (count === null || this.#vpcd !== connection) break;
        for (const message of deframer.push(buffer.subarray(0, count))) {
          const wrong = await this.#obey(message);
          if (wrong === undefined) continue;
          this.#say(`Cannot serve this reader: it sent ${wrong}, which no vpcd sends.`);
          return;
        }
      }
    } catch {
      // vpcd broke off, or the card was taken away from it.
    } finally {
      buffer.fill(0);
      if (this.#vpcd === connection) {
        this.#vpcd = undefined;
        this.#awayUntil = Date.now() + this.#absenceMs;
        await this.#release();
      }
      close(connection);
    }
  }

  /** Does what vpcd asks; tells what was no message of vpcd's. */
  async #obey(message: Uint8Array): Promise<string | undefined> {
    if (this.#awaitsAnswer) return "a message before the answer to the last";
    if (message.length >= 4) {
      this.#awaitsAnswer = true;
      await this.#tell(encodeFrame(LINK.command, message));
      message.fill(0);
      return undefined;
    }
    if (message.length !== 1) return `a message of ${message.length} bytes`;
    switch (message[0]) {
      case VPCD_CONTROL.getAtr:
        if (this.#atr !== undefined) await this.#answer(this.#atr);
        return undefined;
      case VPCD_CONTROL.powerOn:
        return undefined;
      case VPCD_CONTROL.reset:
        if (this.#hasLease) await this.#tell(encodeFrame(LINK.reset));
        return undefined;
      case VPCD_CONTROL.powerOff:
        await this.#release();
        return undefined;
      default:
        return `the control code ${message[0]}`;
    }
  }

  async #hearAll(link: Deno.TlsConn): Promise<void> {
    const deframer = new LinkDeframer();
    const buffer = new Uint8Array(16_384);
    for (;;) {
      const count = await link.read(buffer);
      if (count === null) return;
      const frames = deframer.push(buffer.subarray(0, count));
      buffer.fill(0, 0, count);
      if (frames === "too-long") throw new Error("it sent what no gateway sends");
      for (const each of frames) await this.#hear(each);
    }
  }

  async #hear({ kind, body }: LinkFrame): Promise<void> {
    switch (kind) {
      case LINK.card:
        this.#atr = body;
        return this.#say("The gateway's card is in the reader.");
      case LINK.place: {
        const where = decodePlace(body);
        if (where === undefined) return;
        const holder = where.holder === "" ? "" : `; ${where.holder} has it now`;
        return this.#say(`Waiting for the card: place ${where.place}${holder}.`);
      }
      case LINK.granted:
        this.#hasLease = true;
        return this.#say("The card is this terminal's.");
      case LINK.response:
        this.#awaitsAnswer = false;
        await this.#answer(body);
        body.fill(0);
        return;
      case LINK.ended:
      case LINK.refused: {
        const reason = new TextDecoder().decode(body);
        this.#hasLease = false;
        this.#say(`The card is no longer this terminal's: ${reason}.`);
        // Nobody here goes on with a card that was reset; who gave it back wants it no more.
        if (reason === "released" || reason === "gave-up") return;
        // A command that crossed the end on its way has asked for a lease that nobody here waits for.
        if (this.#awaitsAnswer) await this.#tell(encodeFrame(LINK.release));
        this.#leave();
        return;
      }
      default:
        throw new Error("it sent what no gateway sends");
    }
  }

  async #release(): Promise<void> {
    if (!this.#hasLease && !this.#awaitsAnswer) return;
    this.#hasLease = false;
    this.#awaitsAnswer = false;
    await this.#tell(encodeFrame(LINK.release));
  }

  /** Takes the card out of vpcd's reader, for long enough to be noticed. */
  #leave(): void {
    this.#hasLease = false;
    this.#awaitsAnswer = false;
    if (this.#vpcd === undefined) return;
    this.#awayUntil = Date.now() + this.#absenceMs;
    const vpcd = this.#vpcd;
    this.#vpcd = undefined;
    close(vpcd);
  }

  async #answer(bytes: Uint8Array): Promise<void> {
    if (this.#vpcd === undefined) return;
    const framed = frame(bytes);
    await send(this.#vpcd, framed).catch(() => this.#leave());
    framed.fill(0);
  }

  async #tell(bytes: Uint8Array): Promise<void> {
    if (this.#link !== undefined) await send(this.#link, bytes).catch(() => close(this.#link));
    bytes.fill(0);
  }

  /** What the portal says of it, else what was seen of the way there. */
  async #sayNoCard(seen: string): Promise<void> {
    const { gateway: { hostname }, authority } = this.#options;
    const why = this.#isOver ? undefined : await whyNoCard({ hostname, authority });
    this.#say(`No card to be had from the gateway (${why ?? seen}).`);
  }

  /** Each thing once, not at every try. */
  #say(line: string): void {
    if (line === this.#said) return;
    this.#said = line;
    this.#options.say(line);
  }
}

async function send(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

function close(connection: Deno.Conn | undefined): void {
  try {
    connection?.close();
  } catch {
    // Closed already.
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
