/**
 * One card, held exclusively. No caller waits longer than the bound: a call that does not come back
 * is abandoned with its memory, and its connection is given back whenever it returns.
 */
import {
  CardGarbledError,
  CardGoneError,
  CardSilentError,
  type TransmitOptions,
} from "../apdu/channel.ts";
import { PcscContext } from "./context.ts";
import { pcscError } from "./faults.ts";
import { finish, pcsc } from "./library.ts";
import { cString, ReaderStates } from "./reader_states.ts";
import type { CardSession, Disposition, OpenCardOptions, ReaderState } from "./types.ts";
import { watchRemoval } from "./removal.ts";
import { CODE, DISPOSITION, PROTOCOL, SHARE_EXCLUSIVE } from "./winscard.ts";
import { within } from "./within.ts";

const DEFAULT_TIMEOUT_MS = 5000;

/** No answer is waited for longer, whoever asks; a card that needs more is as good as silent. */
export const LONGEST_ANSWER_MS = 120_000;

/** Largest command and response: extended length (ISO 7816-4) and the status word. */
const LONGEST_COMMAND = 65_544;
const LONGEST_RESPONSE = 65_538;

const EITHER_PROTOCOL = PROTOCOL.t0 | PROTOCOL.t1;

/**
 * Takes the card in a reader for this process alone.
 * @throws {PcscError} with a fault for each reason why not.
 */
export async function openCard(
  reader: string,
  options: OpenCardOptions = {},
): Promise<CardSession> {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  // The watch has a context of its own: its wait must not stand in the way of exchanges.
  const watching = await PcscContext.establish();
  try {
    const { state, states } = await look(watching, reader);
    if (options.events !== undefined && state.events !== options.events) {
      throw pcscError(`open the card in ${reader}`, CODE.removedCard);
    }
    const link = await connect({ reader, timeoutMs });
    return new Session({ link, state, states, watching, timeoutMs });
  } catch (error) {
    await watching.release();
    throw error;
  }
}

/** A connection to a card and the memory of its exchanges. */
interface Link {
  readonly context: PcscContext;
  readonly handle: bigint;
  readonly protocol: bigint;
}

async function look(
  context: PcscContext,
  reader: string,
): Promise<{ state: ReaderState; states: ReaderStates }> {
  const doing = `open the card in ${reader}`;
  if (!(await context.listReaders()).includes(reader)) throw pcscError(doing, CODE.unknownReader);
  const states = new ReaderStates([reader]);
  await context.statusChange(states, 1000);
  const state = states.reader(0);
  if (state === undefined) throw pcscError(doing, CODE.unknownReader);
  if (state.card === "absent") throw pcscError(doing, CODE.noSmartcard);
  if (state.card === "mute") throw pcscError(doing, CODE.unresponsiveCard);
  return { state, states };
}

async function connect(options: { reader: string; timeoutMs: number }): Promise<Link> {
  const context = await PcscContext.establish();
  const name = cString(options.reader);
  const handle = new BigInt64Array(1);
  const protocol = new BigUint64Array(1);
  const call = finish(
    pcsc().SCardConnect(context.number, name, SHARE_EXCLUSIVE, EITHER_PROTOCOL, handle, protocol),
    { name, handle, protocol },
  );
  const link = () => ({ context, handle: handle[0] ?? 0n, protocol: protocol[0] ?? 0n });
  const code = await within(options.timeoutMs, call);
  if (code === CODE.ok) return link();
  const abandon = (late: number) =>
    late === CODE.ok ? giveBack(link(), "leave") : context.release();
  if (code === undefined) call.then(abandon);
  else await abandon(code);
  throw pcscError(`open the card in ${options.reader}`, code ?? CODE.timeout);
}

class Session implements CardSession {
  readonly reader: string;
  readonly atr: Uint8Array;
  readonly events: number;
  readonly removed: Promise<void>;
  readonly #link: Link;
  readonly #timeoutMs: number;
  readonly #endWatch: () => Promise<void>;
  readonly #sendHeader: BigUint64Array<ArrayBuffer>;
  readonly #send = new Uint8Array(LONGEST_COMMAND);
  readonly #receive = new Uint8Array(LONGEST_RESPONSE);
  readonly #received = new BigUint64Array(1);
  /** Exchanges wait for each other: the card does one thing at a time. */
  #turn: Promise<unknown> = Promise.resolve();
  /** The library's call that is under way, which may outlive whoever waits for it. */
  #call: Promise<number> | undefined;
  /** Why nothing more can be done here. */
  #over: "gone" | "silent" | "closed" | undefined;
  /** Ends the wait of the exchange that is under way. */
  #interrupt: (() => void) | undefined;

  constructor(parts: {
    link: Link;
    state: ReaderState;
    states: ReaderStates;
    watching: PcscContext;
    timeoutMs: number;
  }) {
    this.reader = parts.state.name;
    this.atr = parts.state.atr;
    this.events = parts.state.events;
    this.#link = parts.link;
    this.#timeoutMs = parts.timeoutMs;
    // SCARD_IO_REQUEST: protocol and the structure's own length.
    this.#sendHeader = BigUint64Array.of(parts.link.protocol, 16n);
    const watch = watchRemoval(parts.watching, { states: parts.states, events: this.events });
    this.#endWatch = watch.stop;
    this.removed = watch.removed.then(() => {
      this.#over ??= "gone";
      this.#interrupt?.();
    });
  }

  async transmit(command: Uint8Array, options: TransmitOptions = {}): Promise<Uint8Array> {
    if (command.length < 4 || command.length > LONGEST_COMMAND) {
      throw new RangeError(`Cannot send a command of ${command.length} bytes to a card`);
    }
    const boundMs = Math.min(LONGEST_ANSWER_MS, Math.max(this.#timeoutMs, options.answerMs ?? 0));
    return await this.#inTurn(() => this.#exchange(command, boundMs));
  }

  reset(): Promise<void> {
    return this.#inTurn(async () => {
      const protocol = new BigUint64Array(1);
      const call = pcsc().SCardReconnect(
        this.#link.handle,
        SHARE_EXCLUSIVE,
        EITHER_PROTOCOL,
        DISPOSITION.reset,
        protocol,
      );
      await this.#await(call, { boundMs: this.#timeoutMs, memory: protocol });
      this.#sendHeader[0] = protocol[0] ?? 0n;
    });
  }

  async close(disposition: Disposition = "reset"): Promise<void> {
    if (this.#over === "closed") return;
    const pending = this.#call;
    this.#over = "closed";
    // What hangs is given back when it returns, without anybody waiting for it.
    const done = (pending ?? Promise.resolve()).then(() => giveBack(this.#link, disposition));
    await within(
      this.#timeoutMs,
      Promise.all([pending === undefined ? done : 0, this.#endWatch()]),
    );
  }

  async #exchange(command: Uint8Array, boundMs: number): Promise<Uint8Array> {
    this.#send.set(command);
    this.#received[0] = BigInt(this.#receive.length);
    // PINs go out here and shared secrets come in.
    const wipe = () => {
      this.#send.fill(0, 0, command.length);
      this.#receive.fill(0);
    };
    const call = pcsc().SCardTransmit(
      this.#link.handle,
      this.#sendHeader,
      this.#send,
      BigInt(command.length),
      null,
      this.#receive,
      this.#received,
    );
    try {
      await this.#await(call, { boundMs, late: wipe });
      const length = Number(this.#received[0]);
      if (length === 0) {
        // So vpcd's driver reports a card that was pulled in the middle of a command.
        this.#over ??= "gone";
        throw gone(CODE.removedCard);
      }
      if (length < 2 || length > this.#receive.length) {
        throw new CardGarbledError(`Cannot use the card: it answered ${length} bytes`);
      }
      return this.#receive.slice(0, length);
    } finally {
      wipe();
    }
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(() => {
      if (this.#over === undefined) return work();
      if (this.#over === "silent") throw silence(this.#timeoutMs);
      throw gone(CODE.removedCard);
    });
    this.#turn = mine.catch(() => {});
    return await mine;
  }

  /** Waits for a call, but no longer than the bound, and not for a card that is gone. */
  async #await(
    start: Promise<bigint>,
    options: { boundMs: number; late?: () => void; memory?: object },
  ): Promise<void> {
    const { boundMs } = options;
    const call = finish(start, { session: this, ...options });
    this.#call = call;
    call.then(() => this.#call = undefined);
    const interrupted = new Promise<number>((resolve) => {
      this.#interrupt = () => resolve(CODE.removedCard);
    });
    const code = await within(boundMs, Promise.race([call, interrupted]));
    this.#interrupt = undefined;
    if (this.#call !== undefined) call.then(() => options.late?.());
    if (code === CODE.ok) return;
    if (code === undefined) {
      this.#over ??= "silent";
      throw silence(boundMs);
    }
    this.#over ??= "gone";
    throw gone(code);
  }
}

function gone(code: number): CardGoneError {
  return new CardGoneError(pcscError("use the card", code).message);
}

function silence(timeoutMs: number): CardSilentError {
  return new CardSilentError(
    `Cannot use the card: it gave no answer for ${timeoutMs} ms; pull it and insert it again`,
  );
}

/** Ends a connection. Its errors say only that it was over already. */
async function giveBack(link: Link, disposition: Disposition): Promise<void> {
  await finish(pcsc().SCardDisconnect(link.handle, DISPOSITION[disposition]), link);
  await link.context.release();
}
