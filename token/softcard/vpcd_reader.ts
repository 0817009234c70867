import type { FaultPlan } from "./faults.ts";
import type { InsertedCard } from "./inserted_card.ts";
import { Deframer, frame, VPCD_CONTROL } from "./vpcd_framing.ts";

/** The answer to reset: T=1, PIV application named, nobody's quirks (OpenSC knows some by ATR). */
export const SOFTCARD_ATR: Uint8Array = Uint8Array.of(
  ...[0x3b, 0x8d, 0x80, 0x01],
  // Thirteen historical bytes: the identifier of the PIV application, version 1.0.
  ...[0x80, 0xfb, 0xa0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00],
  0xcd,
);

/** How long to wait before dialling again, in milliseconds: doubled each time, up to the last. */
const REDIAL = { first: 20, last: 500 } as const;

/**
 * How long a card that was taken out stays out, in milliseconds. pcscd looks at a virtual reader
 * every 400 ms: a card that came back sooner would pass for one that never left.
 */
const SHORTEST_ABSENCE = 700;

/** Where a vpcd listens. */
export interface VpcdAddress {
  readonly hostname: string;
  readonly port: number;
}

/**
 * Holds a card in a virtual reader: while inserted, it dials vpcd again and again; a connection is
 * a card in the reader, and closing it is taking the card out.
 */
export class VpcdReader {
  readonly #card: InsertedCard;
  readonly #address: VpcdAddress;
  readonly #faults: FaultPlan;
  #inserted = false;
  #wasAsked = false;
  #hadPower = false;
  #isNoticed = false;
  #wasMistaken = false;
  /** Resolves when a card that was taken out may come back. */
  #absence: Promise<void> = Promise.resolve();
  #connection: Deno.TcpConn | undefined;
  #wake: (() => void) | undefined;
  #isOver = false;

  constructor(options: { card: InsertedCard; address: VpcdAddress; faults: FaultPlan }) {
    this.#card = options.card;
    this.#address = options.address;
    this.#faults = options.faults;
  }

  /** "waiting": inserted, but no reader has taken notice yet. */
  get presence(): "removed" | "waiting" | "ready" {
    if (!this.#inserted) return "removed";
    return this.#isNoticed ? "ready" : "waiting";
  }

  insert(): void {
    this.#inserted = true;
    this.#wake?.();
  }

  remove(): void {
    this.#inserted = false;
    this.#leave();
    this.#card.powerUp();
  }

  /** Takes the card out and lets {@linkcode run} end. */
  stop(): void {
    this.#isOver = true;
    this.remove();
    this.#wake?.();
  }

  /** Serves until {@linkcode stop}. */
  async run(): Promise<void> {
    let pause: number = REDIAL.first;
    while (!this.#isOver) {
      if (!this.#inserted) {
        await this.#sleep(undefined);
        pause = REDIAL.first;
        continue;
      }
      await this.#absence;
      if (!this.#inserted) continue;
      const served = await this.#serveOnce();
      pause = served ? REDIAL.first : Math.min(pause * 2, REDIAL.last);
      if (this.#inserted && !this.#isOver) await this.#sleep(pause);
    }
  }

  /** One connection, from dialling to its end; `false` when nobody listened. */
  async #serveOnce(): Promise<boolean> {
    let connection: Deno.TcpConn;
    try {
      connection = await Deno.connect({ ...this.#address, transport: "tcp" });
    } catch {
      return false;
    }
    if (!this.#inserted) {
      connection.close();
      return false;
    }
    connection.setNoDelay(true);
    this.#connection = connection;
    this.#card.powerUp();
    try {
      await this.#converse(connection);
    } finally {
      if (this.#connection === connection) this.#hangUp();
      this.#card.powerUp();
    }
    return true;
  }

  async #converse(connection: Deno.TcpConn): Promise<void> {
    const deframer = new Deframer();
    const buffer = new Uint8Array(4096);
    for (;;) {
      const chunk = await receive(connection, buffer);
      if (chunk === undefined) return;
      for (const message of deframer.push(chunk)) {
        const answer = this.#answer(message);
        // A fault or the control socket may have taken the card out meanwhile.
        if (this.#connection !== connection) return;
        if (answer !== undefined && !(await send(connection, frame(answer)))) return;
      }
    }
  }

  #answer(message: Uint8Array): Uint8Array | undefined {
    if (message.length === 0) return undefined;
    if (message.length > 1) return this.#transmit(message);
    switch (message[0]) {
      case VPCD_CONTROL.getAtr:
        return this.#answerToReset();
      case VPCD_CONTROL.powerOn:
      case VPCD_CONTROL.reset:
        this.#hadPower = true;
        this.#wasMistaken = false;
        this.#card.powerUp();
        return undefined;
      case VPCD_CONTROL.powerOff:
        this.#card.powerUp();
        return undefined;
      default:
        return undefined;
    }
  }

  /**
   * The first question is whether a card is there; a reader that sees a new card then gives power
   * and asks again. One that asks again without power takes it for the card that it had a moment
   * ago, even for one that broke off in mid-command: it must see an empty reader first. Once: a
   * pcscd built without automatic power never gives any.
   */
  #answerToReset(): Uint8Array | undefined {
    const isMistaken = this.#wasAsked && !this.#hadPower;
    if (isMistaken && !this.#isNoticed && !this.#wasMistaken) {
      this.#wasMistaken = true;
      this.#leave();
      return undefined;
    }
    this.#isNoticed = this.#wasAsked;
    this.#wasAsked = true;
    return SOFTCARD_ATR;
  }

  #transmit(command: Uint8Array): Uint8Array | undefined {
    const fault = this.#faults.meet();
    switch (fault?.kind) {
      case "garbage":
        return fault.answer;
      case "silent":
        return undefined;
      case "pull-at":
        this.remove();
        return undefined;
      case undefined:
        return this.#card.transmit(command);
    }
  }

  /** Hangs up and stays away long enough to be missed. */
  #leave(): void {
    if (this.#connection === undefined) return;
    this.#hangUp();
    this.#absence = new Promise((resolve) => setTimeout(resolve, SHORTEST_ABSENCE));
  }

  #hangUp(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#wasAsked = false;
    this.#hadPower = false;
    this.#isNoticed = false;
    try {
      connection?.close();
    } catch {
      // Already closed by the other side.
    }
  }

  #sleep(milliseconds: number | undefined): Promise<void> {
    if (this.#isOver) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = milliseconds === undefined ? undefined : setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** What came, or `undefined` when the reader hung up or broke off. */
async function receive(
  connection: Deno.TcpConn,
  buffer: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array | undefined> {
  try {
    const count = await connection.read(buffer);
    return count === null ? undefined : buffer.subarray(0, count);
  } catch {
    return undefined;
  }
}

/** One write as a rule, so that an answer is one segment; `false` when the reader is gone. */
async function send(connection: Deno.TcpConn, bytes: Uint8Array): Promise<boolean> {
  try {
    for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
    return true;
  } catch {
    return false;
  }
}
