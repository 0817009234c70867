/** `token batch`: a profile and a card for each row of a CSV file. */
import { randomBytes } from "node:crypto";
import { listReaders } from "../pcsc/list.ts";
import { makeWireGuardKey } from "../profile/wireguard_key.ts";
import { BatchJournal } from "./batch_journal.ts";
import { type BatchRow, COLUMNS_HELP, readBatch } from "./batch_rows.ts";
import { type OpenedCard, withCard } from "./card.ts";
import { CommandError, UsageError } from "./errors.ts";
import { FIELD_FLAGS, FIELD_HELP } from "./fields.ts";
import { readText } from "./files.ts";
import { type Given, readOptions } from "./options.ts";
import { isExpected } from "./expected.ts";
import type { Summary } from "./summary.ts";
import { WRITE_FLAGS } from "./write_flags.ts";
import { formerHead, writeTo } from "./write_piv.ts";
import { type ClientKeys, openStation, type Station, wipeKeys } from "./writing.ts";

const HELP = `Usage: token batch FILE.csv --issuer FILE --out FOLDER [options]

Issues one card for each row. Every row is checked before any card is touched. In FOLDER each row
leaves CLIENT.toml (for the hub) and CLIENT.psk (and CLIENT.profile where the card has no room for
its profile: copy it to the folder that gateways have as token.profiles), and batch.jsonl says which rows are done: run the
same command again to go on where it ended.

${COLUMNS_HELP}

  --out FOLDER                where the hub's files and the journal go
  --from FILE.toml            settings for all rows
  --identity KIND             sealed (default) or on-card
  --replace                   write cards that carry a profile of this issuer already
  --no-wait                   don't ask for cards: take those in the readers now
${FIELD_HELP}
  --psk                       a preshared key for each row that says nothing of it
  --issuer FILE               the issuer's key (token issuer-key)
  --management-key-file FILE  the cards' management key in hexadecimal (else the factory's)
  --recovery age1...          a stock age recipient that can open the profiles too (repeat)
  --json                      one JSON object for each row
  --help                      this text`;

/** Runs the command. */
export async function batch(args: string[]): Promise<number> {
  const given = readOptions(args, {
    flags: {
      ...FIELD_FLAGS,
      ...WRITE_FLAGS,
      from: "text",
      out: "text",
      identity: "text",
      psk: "flag",
      replace: "flag",
      "no-wait": "flag",
    },
    positionals: 1,
  });
  if (given === "help") {
    console.log(HELP);
    return 0;
  }
  const [path] = given.positionals;
  const out = given.text("out");
  if (path === undefined) throw new UsageError("Cannot issue: FILE.csv is missing");
  if (out === undefined) throw new UsageError("Cannot issue: --out FOLDER is missing");
  const kind = given.text("identity") ?? "sealed";
  if (kind !== "sealed" && kind !== "on-card") {
    throw new UsageError(`Cannot use --identity ${kind}: expected sealed or on-card`);
  }
  refuseSingles(given);
  const now = Math.floor(Date.now() / 1000);
  const rows = await readBatch(await readText(path), { name: path, given, now });
  const station = await openStation(given);
  using journal = await BatchJournal.open(out);
  const run: Run = { given, station, journal, out, kind, name: path, count: rows.length };
  checkUnchanged(rows, run);
  let failed = 0;
  for (const [index, row] of rows.entries()) {
    if (!await issueRow(row, { ...run, index })) failed++;
  }
  if (failed === 0) return 0;
  console.error(
    `${failed} of ${rows.length} rows are not done: put that right and run the same command again`,
  );
  return 1;
}

interface Run {
  readonly given: Given;
  readonly station: Station;
  readonly journal: BatchJournal;
  readonly out: string;
  readonly kind: "sealed" | "on-card";
  readonly name: string;
  readonly count: number;
}

/** True when the row is done, now or before; what went wrong is said with its line. */
async function issueRow(row: BatchRow, run: Run & { index: number }): Promise<boolean> {
  const { journal, index, count, name } = run;
  const { clientId } = row.fields;
  const at = `[${index + 1}/${count}] ${name}: line ${row.line}: ${clientId}`;
  const before = journal.of(clientId);
  if (before !== undefined) {
    console.error(`${at}: done before, card ${before.card}`);
    return true;
  }
  try {
    const summary = await writeRow(row, run);
    await journal.add({
      client: clientId,
      digest: row.digests[0],
      card: summary.card,
      profile: summary.profile,
      generation: summary.generation,
    });
    console.error(`${at}: done, card ${summary.card}`);
    if (run.given.flag("json")) console.log(JSON.stringify(summary));
    return true;
  } catch (error) {
    if (!isExpected(error)) throw error;
    console.error(`${at}: ${error.message}`);
    return false;
  }
}

async function writeRow(row: BatchRow, run: Run): Promise<Summary> {
  const { given, station, out, kind } = run;
  const { clientId } = row.fields;
  const files = {
    peer: `${out}/${clientId}.toml`,
    psk: `${out}/${clientId}.psk`,
    beside: `${out}/${clientId}.profile`,
  };
  await dropUnspoken(out, clientId);
  const keys: ClientKeys = {
    identity: kind === "sealed" ? { kind, ...makeWireGuardKey() } : { kind },
    presharedKey: row.hasPresharedKey ? new Uint8Array(randomBytes(32)) : undefined,
  };
  try {
    return await withRowsCard(row, run, async (card) => {
      await run.journal.begin(clientId, card.id);
      const now = Math.floor(Date.now() / 1000);
      return await writeTo(card, { given, station, fields: row.fields, keys, now, files });
    });
  } finally {
    wipeKeys(keys);
  }
}

/** What a run left that was cut before its journal: the row is done again, with new keys. */
async function dropUnspoken(folder: string, client: string): Promise<void> {
  const isOurs = (name: string) =>
    [".toml", ".psk", ".profile"].some((end) =>
      name === `${client}${end}` || name.startsWith(`${client}${end}.new-`)
    );
  for (const { name } of [...Deno.readDirSync(folder)]) {
    if (isOurs(name)) await Deno.remove(`${folder}/${name}`);
  }
}

async function withRowsCard<T>(
  row: BatchRow,
  run: Run,
  work: (card: OpenedCard) => Promise<T>,
): Promise<T> {
  const { given } = run;
  if (!given.flag("no-wait") && Deno.stdin.isTerminal()) {
    const which = row.card === undefined ? "a card" : `the card ${row.card}`;
    prompt(`Insert ${which} for ${row.fields.user.name}, then Enter`);
  } else if (row.card === undefined && run.count > 1) {
    throw new UsageError("Cannot choose a card: name it in column card, or run on a terminal");
  }
  for (const { name, card } of await listReaders()) {
    const isNamed = given.text("reader") === undefined || name.includes(given.text("reader") ?? "");
    if (card !== "present" || !isNamed) continue;
    const done = await withCard(name, async (opened) => {
      if (!await isRight(opened, row, run)) return undefined;
      return { result: await work(opened) };
    }).catch((error) => {
      // Another card in another reader is none of this row's business.
      if (row.card !== undefined && error instanceof CommandError && isAbout(error, name)) {
        return undefined;
      }
      throw error;
    });
    if (done !== undefined) return done.result;
  }
  throw new CommandError(
    row.card === undefined
      ? "Cannot find a card: insert one that this batch has not written yet"
      : `Cannot find the card ${row.card}: it is in no reader; insert it`,
  );
}

/** Whether this is the row's card and may be written. */
async function isRight(card: OpenedCard, row: BatchRow, run: Run): Promise<boolean> {
  const { journal, given, station } = run;
  if (row.card !== undefined && card.id !== row.card) return false;
  if (journal.hasCard(card.id)) {
    if (row.card === undefined) return false;
    throw new CommandError(`Cannot use the card ${card.id}: this batch gave it to somebody else`);
  }
  if (given.flag("replace") || journal.hasBegun(row.fields.clientId, card.id)) return true;
  const now = Math.floor(Date.now() / 1000);
  const former = await formerHead(card, { issuer: station.issuer, now });
  if (former === undefined) return true;
  throw new CommandError(
    `Cannot use the card ${card.id}: it carries a profile of ${former.holder}; ` +
      "give --replace to write over it",
  );
}

function isAbout(error: CommandError, reader: string): boolean {
  return error.message.startsWith(`Cannot use the card in ${reader}:`);
}

/** A row that was issued and says something else now needs `token edit`, not another card. */
function checkUnchanged(rows: readonly BatchRow[], { journal, name }: Run): void {
  const changed = rows.filter(({ fields, digests }) => {
    const done = journal.of(fields.clientId);
    return done !== undefined && !digests.includes(done.digest);
  });
  if (changed.length === 0) return;
  throw new CommandError(
    changed.map(({ line, fields }) =>
      `Cannot issue ${name}: line ${line}: ${fields.clientId} was issued with other settings; ` +
      "use token edit on that card"
    ).join("\n"),
  );
}

/** Flags of one card make no sense for many. */
function refuseSingles(given: Given): void {
  const singles = [
    ...["peer-out", "psk-out", "backup-out", "bundle-out", "share-out", "share-hub", "client-id"],
    ...["recovery-out", "admin-pin-file"],
  ];
  const one = singles.find((flag) => given.text(flag) !== undefined);
  if (one !== undefined) {
    throw new UsageError(`Cannot use --${one} with a batch: it is for one card`);
  }
  if (given.flag("new-recovery")) {
    throw new UsageError(
      "Cannot use --new-recovery with a batch: make one (age-keygen), --recovery",
    );
  }
  if (given.list("address").length > 0) {
    throw new UsageError("Cannot use --address with a batch: each row has its own");
  }
}
