/**
 * libpcsclite by FFI. Every call that can wait runs on a thread of the runtime's pool, so the
 * caller's thread never stops; calls on one context are made one after the other by its owner.
 */
import { PcscError } from "./types.ts";

const SYMBOLS = {
  SCardEstablishContext: {
    parameters: ["u64", "pointer", "pointer", "buffer"],
    result: "i64",
    nonblocking: true,
  },
  SCardReleaseContext: { parameters: ["i64"], result: "i64", nonblocking: true },
  SCardListReaders: {
    parameters: ["i64", "pointer", "buffer", "buffer"],
    result: "i64",
    nonblocking: true,
  },
  SCardGetStatusChange: {
    parameters: ["i64", "u64", "buffer", "u64"],
    result: "i64",
    nonblocking: true,
  },
  SCardCancel: { parameters: ["i64"], result: "i64", nonblocking: true },
  SCardConnect: {
    parameters: ["i64", "buffer", "u64", "u64", "buffer", "buffer"],
    result: "i64",
    nonblocking: true,
  },
  SCardReconnect: {
    parameters: ["i64", "u64", "u64", "u64", "buffer"],
    result: "i64",
    nonblocking: true,
  },
  SCardDisconnect: { parameters: ["i64", "u64"], result: "i64", nonblocking: true },
  SCardTransmit: {
    parameters: ["i64", "buffer", "buffer", "u64", "pointer", "buffer", "buffer"],
    result: "i64",
    nonblocking: true,
  },
} as const;

/**
 * Functions that change the library's tables of contexts and handles. In 1.9.9 SCardDisconnect walks
 * all of them without the library's own lock, and a thread that takes a context out meanwhile ends the
 * process: so they are called one at a time. SCardConnect isn't among them, since a card may keep it
 * waiting: a process that opens one card while it gives back another isn't safe from it.
 */
const ONE_AT_A_TIME = ["SCardEstablishContext", "SCardReleaseContext", "SCardDisconnect"] as const;

/** The functions of the library, typed. */
export type PcscSymbols = Deno.StaticForeignLibraryInterface<typeof SYMBOLS>;

let symbols: PcscSymbols | undefined;

/**
 * The library, loaded at first use.
 * @throws {PcscError} "no-service" when it is not installed.
 */
export function pcsc(): PcscSymbols {
  if (symbols !== undefined) return symbols;
  // Read once by the library: without it a busy card makes calls wait for ever.
  Deno.env.set("PCSCLITE_NO_BLOCKING", "1");
  try {
    symbols = inTurn(Deno.dlopen("libpcsclite.so.1", SYMBOLS).symbols);
  } catch (error) {
    throw new PcscError(
      "Cannot reach smart cards: libpcsclite.so.1 does not load; install the package pcscd",
      { fault: "no-service", code: 0, cause: error },
    );
  }
  return symbols;
}

function inTurn(loaded: PcscSymbols): PcscSymbols {
  let turn: Promise<unknown> = Promise.resolve();
  const after = <Args extends unknown[]>(call: (...args: Args) => Promise<bigint>) => {
    return (...args: Args) => {
      const mine = turn.then(() => call(...args));
      turn = mine.catch(() => {});
      return mine;
    };
  };
  const serial = Object.fromEntries(
    ONE_AT_A_TIME.map((
      name,
    ) => [name, after(loaded[name] as (...args: unknown[]) => Promise<bigint>)]),
  );
  return { ...loaded, ...serial };
}

/** Memory that running calls write to: an abandoned call must still find it there. */
const held = new Set<object>();

/**
 * Waits for one call and keeps `memory` alive until it returns, also when nobody waits any more.
 * @returns The return code's low 32 bits: the upper half is not defined.
 */
export async function finish(call: Promise<bigint>, memory: object): Promise<number> {
  // A wrapper of its own, so that one memory may serve several calls.
  const hold = { memory };
  held.add(hold);
  try {
    return Number((await call) & 0xffffffffn);
  } finally {
    held.delete(hold);
  }
}
