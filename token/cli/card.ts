/** The card that a command works on. */
import { listReaders } from "../pcsc/list.ts";
import { openCard } from "../pcsc/session.ts";
import type { CardSession, ReaderState } from "../pcsc/types.ts";
import { type PivClient, selectPiv } from "../piv/client.ts";
import type { PinChange } from "../piv/client_types.ts";
import { CommandError } from "./errors.ts";

/** A card in a reader, held by this command. */
export interface OpenedCard {
  readonly reader: string;
  readonly piv: PivClient;
  /** See `PivClient.cardId`. */
  readonly id: string;
}

/** Opens the one card there is, or the one in the named reader, and gives it back at the end. */
export async function withCard<T>(
  reader: string | undefined,
  work: (card: OpenedCard) => Promise<T>,
): Promise<T> {
  return await withSession(reader, async (session) => {
    const card = await openPiv(session);
    if (card === undefined) {
      throw new CommandError(
        `Cannot use the card in ${session.reader}: it is no PIV card; insert one`,
      );
    }
    return await work(card);
  });
}

/** Like {@linkcode withCard}, for a card of any kind. */
export async function withSession<T>(
  reader: string | undefined,
  work: (session: CardSession) => Promise<T>,
): Promise<T> {
  const { name } = choose(await listReaders(), reader);
  const session = await openCard(name);
  try {
    return await work(session);
  } finally {
    await session.close("reset");
  }
}

/** The card's PIV application; `undefined` when it has none. */
export async function openPiv(session: CardSession): Promise<OpenedCard | undefined> {
  const piv = await selectPiv(session);
  if (piv === undefined) return undefined;
  const id = await piv.cardId();
  if (id === undefined) {
    throw new CommandError(
      `Cannot use the card in ${session.reader}: it has neither a CHUID nor a serial number; ` +
        "give it a CHUID (yubico-piv-tool -a set-chuid)",
    );
  }
  return { reader: session.reader, piv, id };
}

/** The error for a PIN or PUK that the card did not take; `undefined` when it did. */
export function pinFault(what: "PIN" | "PUK", result: PinChange): CommandError | undefined {
  switch (result.outcome) {
    case "ok":
      return undefined;
    case "wrong": {
      const tries = result.triesLeft === 1 ? "1 try" : `${result.triesLeft} tries`;
      return new CommandError(`Cannot use the card: wrong ${what}; ${tries} left`);
    }
    case "blocked":
      return new CommandError(
        what === "PIN"
          ? "Cannot use the card: its PIN is blocked; use token unblock"
          : "Cannot use the card: its PUK is blocked; only a reset of the card helps",
      );
    case "malformed":
      return new CommandError("Cannot change the PIN: a PIN or PUK has 6 to 8 characters");
  }
}

function choose(readers: readonly ReaderState[], wanted: string | undefined): ReaderState {
  const named = readers.filter(({ name }) => wanted === undefined || name.includes(wanted));
  if (named.length === 0) {
    throw new CommandError(
      wanted === undefined
        ? "Cannot find a card: there is no reader; plug one in"
        : `Cannot find the reader ${wanted}: token list shows those there are`,
    );
  }
  const filled = named.filter(({ card }) => card !== "absent");
  const [first, second] = filled;
  if (first === undefined) throw new CommandError("Cannot find a card: insert it");
  if (second !== undefined) {
    throw new CommandError(
      `Cannot choose a card: there is one in ${filled.map(({ name }) => name).join(" and in ")}; ` +
        "name the reader (--reader)",
    );
  }
  return first;
}
