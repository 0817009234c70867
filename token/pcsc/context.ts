/**
 * One context of pcscd: a connection that lists readers and waits for changes. A pcscd that gives
 * no answer within {@linkcode SERVICE_BOUND_MS} counts as gone.
 */
import { pcscError } from "./faults.ts";
import { finish, pcsc } from "./library.ts";
import type { ReaderStates } from "./reader_states.ts";
import type { PcscError } from "./types.ts";
import { CODE, MOST_READERS, SCOPE_SYSTEM } from "./winscard.ts";
import { SERVICE_BOUND_MS, within } from "./within.ts";

/** Names have at most 128 bytes. */
const LONGEST_LIST = MOST_READERS * 128 + 1;

export class PcscContext {
  /** The library's number of this context. */
  readonly number: bigint;
  /** A call that nobody waits for any more; the context is busy until it returns. */
  #stuck: Promise<number> | undefined;

  private constructor(number: bigint) {
    this.number = number;
  }

  /** @throws {PcscError} "no-service" when pcscd does not answer. */
  static async establish(): Promise<PcscContext> {
    const into = new BigInt64Array(1);
    const call = finish(pcsc().SCardEstablishContext(SCOPE_SYSTEM, null, null, into), into);
    const code = await within(SERVICE_BOUND_MS, call);
    const context = () => new PcscContext(into[0] ?? 0n);
    if (code === CODE.ok) return context();
    if (code === undefined) call.then((late) => late === CODE.ok ? context().release() : undefined);
    throw serviceError("reach smart cards", code);
  }

  /** Names of the readers now there. */
  async listReaders(): Promise<string[]> {
    const names = new Uint8Array(LONGEST_LIST);
    const length = BigUint64Array.of(BigInt(names.length));
    const call = pcsc().SCardListReaders(this.number, null, names, length);
    const code = await this.#bounded(SERVICE_BOUND_MS, finish(call, { names, length }));
    if (code === CODE.noReaders) return [];
    if (code !== CODE.ok) throw serviceError("list the readers", code);
    const text = new TextDecoder().decode(names.subarray(0, Number(length[0] ?? 0n)));
    return text.split("\0").filter((name) => name !== "");
  }

  /**
   * Waits until a state differs from what is known, at most `timeoutMs`.
   * @returns Whether anything changed.
   */
  async statusChange(states: ReaderStates, timeoutMs: number): Promise<boolean> {
    const call = pcsc().SCardGetStatusChange(
      this.number,
      BigInt(timeoutMs),
      states.table,
      BigInt(states.names.length),
    );
    const code = await this.#bounded(timeoutMs + SERVICE_BOUND_MS, finish(call, states));
    if (code === CODE.ok) return true;
    if (code === CODE.timeout || code === CODE.cancelled) return false;
    throw serviceError("watch the readers", code);
  }

  /** Ends a wait that is under way. */
  async cancel(): Promise<void> {
    await within(SERVICE_BOUND_MS, finish(pcsc().SCardCancel(this.number), this));
  }

  /** Gives the context back; a service that is gone has nothing to be given. */
  async release(): Promise<void> {
    const release = async () => {
      await finish(pcsc().SCardReleaseContext(this.number), this);
    };
    if (this.#stuck !== undefined) void this.#stuck.then(release);
    else await within(SERVICE_BOUND_MS, release());
  }

  async #bounded(timeoutMs: number, call: Promise<number>): Promise<number | undefined> {
    const code = await within(timeoutMs, call);
    if (code === undefined) this.#stuck = call;
    return code;
  }
}

/** No card is asked here: communication that breaks or takes too long is the one with pcscd. */
function serviceError(doing: string, code: number | undefined): PcscError {
  const isService = code === undefined || code === CODE.communicationError;
  return pcscError(doing, isService ? CODE.noService : code);
}
