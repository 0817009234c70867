/** One context of pcscd: a connection that lists readers and waits for changes. */
import { pcscError } from "./faults.ts";
import { finish, pcsc } from "./library.ts";
import type { ReaderStates } from "./reader_states.ts";
import type { PcscError } from "./types.ts";
import { CODE, SCOPE_SYSTEM } from "./winscard.ts";

/** pcscd serves at most 16 readers with names of at most 128 bytes. */
const LONGEST_LIST = 16 * 128 + 1;

export class PcscContext {
  readonly #context: bigint;

  private constructor(context: bigint) {
    this.#context = context;
  }

  /** @throws {PcscError} "no-service" when pcscd does not answer. */
  static async establish(): Promise<PcscContext> {
    const into = new BigInt64Array(1);
    const code = await finish(
      pcsc().SCardEstablishContext(SCOPE_SYSTEM, null, null, into),
      into,
    );
    if (code !== CODE.ok) throw pcscError("reach smart cards", code);
    return new PcscContext(into[0] ?? 0n);
  }

  /** The library's number of this context. */
  get number(): bigint {
    return this.#context;
  }

  /** Names of the readers now there. */
  async listReaders(): Promise<string[]> {
    const names = new Uint8Array(LONGEST_LIST);
    const length = BigUint64Array.of(BigInt(names.length));
    const call = pcsc().SCardListReaders(this.#context, null, names, length);
    const code = await finish(call, { names, length });
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
    const count = BigInt(states.names.length);
    const call = pcsc().SCardGetStatusChange(
      this.#context,
      BigInt(timeoutMs),
      states.table,
      count,
    );
    const code = await finish(call, states);
    if (code === CODE.ok) return true;
    if (code === CODE.timeout || code === CODE.cancelled) return false;
    throw serviceError("watch the readers", code);
  }

  /** Ends a wait that is under way. */
  async cancel(): Promise<void> {
    await finish(pcsc().SCardCancel(this.#context), this);
  }

  /** Gives the context back; a service that is gone has nothing to be given. */
  async release(): Promise<void> {
    await finish(pcsc().SCardReleaseContext(this.#context), this);
  }
}

/** No card is asked here: communication that breaks is the one with pcscd. */
function serviceError(doing: string, code: number): PcscError {
  return pcscError(doing, code === CODE.communicationError ? CODE.noService : code);
}
