/**
 * Software cards behind a USB reader that QEMU emulates: what the guest's pcscd and libccid send
 * over USB is answered here. QEMU tells nothing of power and resets: a PIN's state stays with the
 * card until it is pulled.
 */
import { SoftCard } from "../../token/softcard/card.ts";
import { factoryCard } from "../../token/softcard/factory.ts";
import { InsertedCard } from "../../token/softcard/inserted_card.ts";
import { softwareCrypto } from "../../token/softcard/software_crypto.ts";
import { SOFTCARD_ATR } from "../../token/softcard/vpcd_reader.ts";
import { encodeVsc, initBody, VSC, VscDeframer, type VscMessage } from "./vscard.ts";

/** A card with an id of its own, wherever it is now; its PIN is the factory's. */
export function usbCard(serial: number): InsertedCard {
  const state = factoryCard({ crypto: softwareCrypto, cost: { N: 2, r: 1, p: 1 }, serial });
  return new InsertedCard(new SoftCard(state, softwareCrypto), () => true);
}

export class UsbSlot {
  readonly #connection: Deno.UnixConn;
  #reader: number | undefined;
  #card: InsertedCard | undefined;
  /** What happens in the midst of the next command with this instruction. */
  #trap: { instruction: number; spring: () => Promise<void> } | undefined;

  private constructor(connection: Deno.UnixConn) {
    this.#connection = connection;
    void this.#serve();
  }

  /** The slot of the reader whose character device listens on `path`. */
  static async open(path: string): Promise<UsbSlot> {
    const slot = new UsbSlot(await Deno.connect({ transport: "unix", path }));
    await slot.#send(encodeVsc(VSC.init, { body: initBody() }));
    return slot;
  }

  /** Puts a card into the reader, which must be plugged in. */
  async insert(card: InsertedCard): Promise<void> {
    this.#card = card;
    card.powerUp();
    if (this.#reader === undefined) await this.#send(encodeVsc(VSC.readerAdd));
    else await this.#answerToReset();
  }

  async pull(): Promise<void> {
    this.#card = undefined;
    await this.#send(encodeVsc(VSC.cardRemove, this.#address()));
  }

  /** The reader was unplugged, and its card with it: whoever plugs in one must put the card in. */
  unplugged(): void {
    this.#card = undefined;
    this.#reader = undefined;
  }

  /** As a card's does when its machine sleeps: QEMU tells nothing of it. */
  losePower(): void {
    this.#card?.powerUp();
  }

  /** The next command with this instruction is never answered; `spring` runs instead. */
  trap(instruction: number, spring: () => Promise<void>): void {
    this.#trap = { instruction, spring };
  }

  /** Until the guest is gone. */
  async #serve(): Promise<void> {
    const deframer = new VscDeframer();
    const buffer = new Uint8Array(65_536);
    try {
      for (;;) {
        const count = await this.#connection.read(buffer);
        if (count === null) return;
        for (const message of deframer.push(buffer.subarray(0, count))) await this.#hear(message);
      }
    } catch (error) {
      const isOver = error instanceof Deno.errors.BadResource ||
        error instanceof Deno.errors.Interrupted || error instanceof Deno.errors.ConnectionReset;
      if (!isOver) throw error;
    }
  }

  async #hear({ type, reader, body }: VscMessage): Promise<void> {
    if (type === VSC.apdu) return await this.#answer(body);
    const isAdded = type === VSC.error && this.#reader === undefined && this.#card !== undefined;
    if (!isAdded) return;
    this.#reader = reader;
    await this.#answerToReset();
  }

  async #answer(command: Uint8Array): Promise<void> {
    if (this.#trap !== undefined && command[1] === this.#trap.instruction) {
      const { spring } = this.#trap;
      this.#trap = undefined;
      return await spring();
    }
    const body = this.#card?.transmit(command);
    if (body !== undefined) await this.#send(encodeVsc(VSC.apdu, { ...this.#address(), body }));
  }

  #answerToReset(): Promise<void> {
    return this.#send(encodeVsc(VSC.atr, { ...this.#address(), body: SOFTCARD_ATR }));
  }

  #address(): { reader?: number } {
    return this.#reader === undefined ? {} : { reader: this.#reader };
  }

  async #send(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      at += await this.#connection.write(bytes.subarray(at));
    }
  }
}
