/** `token list`: readers and what is in them. */
import {
  CardGarbledError,
  CardGoneError,
  CardRefusedError,
  CardSilentError,
} from "../apdu/channel.ts";
import { listReaders } from "../pcsc/list.ts";
import { openCard } from "../pcsc/session.ts";
import { PcscError, type ReaderState } from "../pcsc/types.ts";
import { selectOpenPgp } from "../openpgp/client.ts";
import { selectPiv } from "../piv/client.ts";
import { readOptions } from "./options.ts";

const HELP = `Usage: token list [--json]

Readers, and the cards in them.

  --json   one JSON array instead of text
  --help   this text`;

/** Runs the command. */
export async function list(args: string[]): Promise<number> {
  const given = readOptions(args, { flags: { json: "flag" } });
  if (given === "help") {
    console.log(HELP);
    return 0;
  }
  const rows = [];
  for (const reader of await listReaders()) {
    rows.push({ reader: reader.name, card: reader.card, ...await identify(reader) });
  }
  if (given.flag("json")) {
    console.log(JSON.stringify(rows));
    return 0;
  }
  if (rows.length === 0) console.log("no reader");
  for (const row of rows) {
    const serial = row.serial === undefined ? undefined : `serial ${row.serial}`;
    const words = [row.kind, row.id, serial, row.reason];
    const about = words.filter((word) => word !== undefined).join(", ");
    console.log(`${row.reader}: ${row.card === "present" ? about : row.card}`);
  }
  return 0;
}

/** What one card says; a card that can't be asked must not hide the others. */
async function identify(reader: ReaderState): Promise<Identity> {
  if (reader.card !== "present") return {};
  try {
    return await ask(reader);
  } catch (error) {
    if (error instanceof PcscError && error.fault === "sharing") return { kind: "in use" };
    const isCards = [CardGarbledError, CardGoneError, CardRefusedError, CardSilentError, PcscError]
      .some((kind) => error instanceof kind);
    if (!isCards || !(error instanceof Error)) throw error;
    return { kind: "unreadable", reason: error.message };
  }
}

interface Identity {
  readonly kind?: string;
  readonly id?: string;
  readonly serial?: number;
  readonly version?: string;
  readonly reason?: string;
}

async function ask(reader: ReaderState): Promise<Identity> {
  const session = await openCard(reader.name);
  try {
    const piv = await selectPiv(session);
    if (piv === undefined) {
      const openPgp = await selectOpenPgp(session);
      return openPgp === undefined
        ? { kind: "not a PIV card" }
        : { kind: "OpenPGP", id: await openPgp.cardId() };
    }
    const [id, serial, version] = [await piv.cardId(), await piv.serial(), await piv.version()];
    return {
      kind: "PIV",
      ...(id === undefined ? {} : { id }),
      ...(serial === undefined ? {} : { serial }),
      ...(version === undefined ? {} : { version }),
    };
  } finally {
    await session.close("leave");
  }
}
