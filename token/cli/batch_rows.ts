/** The rows of a batch: what each person's profile is to be, all checked before any card is touched. */
import { digestsOf } from "./batch_digest.ts";
import { draftProfile, NOBODYS_IDENTITY } from "./draft.ts";
import { type CsvRow, parseCsv } from "./csv.ts";
import { CommandError, UsageError } from "./errors.ts";
import { type Fields, readFields } from "./fields.ts";
import type { Given } from "./options.ts";

/** One person's card to be. */
export interface BatchRow {
  readonly line: number;
  readonly fields: Fields;
  /** The card that it must be, where the file says so. */
  readonly card: string | undefined;
  readonly hasPresharedKey: boolean;
  /** Change with whatever the row says: the one to write down, and those of older versions. */
  readonly digests: readonly [string, ...string[]];
}

/** Columns that stand for a flag of `token issue`; lists are separated by spaces. */
const TEXT_COLUMNS = [
  ...["user_id", "user_name", "ask_user_id"] as const,
  ...["server_id", "expires", "mtu", "keepalive"] as const,
] as const;
const LIST_COLUMNS = {
  addresses: "address",
  dns: "dns",
  endpoints: "endpoint",
  networks: "network",
  domains: "domain",
  inbound: "inbound",
} as const;
const COLUMNS = new Set<string>([
  "client_id",
  "card",
  "psk",
  "server_key",
  "other_traffic",
  ...TEXT_COLUMNS,
  ...Object.keys(LIST_COLUMNS),
]);

/** The help lines about columns. */
export const COLUMNS_HELP =
  `Columns, the first line naming them: client_id (needed), card (the id that
token list shows), user_id, user_name, ask_user_id (yes or no), server_id, expires, addresses, dns,
mtu, server_key, endpoints, keepalive, networks, domains, other_traffic, inbound, psk (yes or no).
Lists are separated by spaces. What a row leaves empty comes from --from FILE.toml and the flags.`;

/**
 * Reads a batch.
 * @throws {CommandError} that names every line that is wrong, one in a line.
 */
export async function readBatch(
  text: string,
  options: { name: string; given: Given; now: number },
): Promise<readonly BatchRow[]> {
  const { name, given, now } = options;
  const parsed = parseCsv(text);
  if (!parsed.ok) {
    throw new CommandError(`Cannot read ${name}: line ${parsed.line}: ${parsed.problem}`);
  }
  const [head, ...records] = parsed.rows;
  if (head === undefined || records.length === 0) {
    throw new CommandError(`Cannot read ${name}: it has no rows; the first line names columns`);
  }
  const columns = head.values.map((value) => value.trim().toLowerCase());
  const unknown = columns.find((column) => !COLUMNS.has(column));
  const twice = columns.find((column, index) => columns.indexOf(column) !== index);
  if (unknown !== undefined || twice !== undefined || !columns.includes("client_id")) {
    const what = unknown !== undefined
      ? `no column is called ${JSON.stringify(unknown.slice(0, 40))}`
      : twice !== undefined
      ? `column ${twice} is there twice`
      : "column client_id is missing";
    throw new CommandError(`Cannot read ${name}: line ${head.line}: ${what}`);
  }
  const rows: BatchRow[] = [];
  const problems: string[] = [];
  for (const record of records) {
    try {
      rows.push(await readRow(record, { columns, given, now }));
    } catch (error) {
      if (!(error instanceof UsageError || error instanceof CommandError)) throw error;
      problems.push(`line ${record.line}: ${error.message}`);
    }
  }
  problems.push(...clashes(rows));
  if (problems.length > 0) {
    throw new CommandError(
      problems.map((problem) => `Cannot issue ${name}: ${problem}`).join("\n"),
    );
  }
  return rows;
}

async function readRow(
  { line, values }: CsvRow,
  options: { columns: readonly string[]; given: Given; now: number },
): Promise<BatchRow> {
  const { columns, given, now } = options;
  if (values.length !== columns.length) {
    throw new UsageError(`expected ${columns.length} values, not ${values.length}`);
  }
  const row = new Map(columns.map((column, index) => [column, (values[index] ?? "").trim()]));
  const own = (flag: string, column = flag.replaceAll("-", "_")) => row.get(column) || undefined;
  const lists = new Map<string, string>(
    Object.entries(LIST_COLUMNS).map(([column, flag]) => [flag, column]),
  );
  // A row speaks as flags do, and comes before them.
  const asGiven: Given = {
    text: (flag) => own(flag) ?? given.text(flag),
    list: (flag) =>
      own(flag, lists.get(flag))?.split(/\s+/).filter((item) => item !== "") ?? given.list(flag),
    flag: (flag) => given.flag(flag),
    positionals: [],
  };
  if (own("client-id") === undefined) throw new UsageError("client_id is empty");
  const fields = await readFields(asGiven, { path: given.text("from"), now });
  const hasKey = given.flag("psk") || fields.suite === "wireguard-manual-1";
  const psk = own("psk") ?? (hasKey ? "yes" : "no");
  if (psk !== "yes" && psk !== "no") throw new UsageError("psk: expected yes or no");
  if (fields.expiresAt <= now) throw new UsageError("expires: it lies in the past");
  if (!/^[A-Za-z0-9][A-Za-z0-9@._-]{0,62}$/.test(fields.clientId)) {
    throw new UsageError("client_id: expected letters, digits, @, dots, dashes: it names files");
  }
  draftProfile(fields, {
    cardId: own("card") ?? "any",
    now,
    identity: NOBODYS_IDENTITY,
    hasPresharedKey: psk === "yes",
    recipients: [],
  });
  const told = { card: own("card"), hasPresharedKey: psk === "yes" };
  const digests = digestsOf(fields, { ...told, expires: asGiven.text("expires") ?? "" });
  return { line, fields, ...told, digests };
}

/** What no two rows may share. */
function clashes(rows: readonly BatchRow[]): string[] {
  const seen = new Map<string, number>();
  const problems: string[] = [];
  for (const { line, fields, card } of rows) {
    const own: [string, string][] = [
      ["client_id", fields.clientId],
      ...fields.addresses.map((address): [string, string] => ["address", address]),
      ...(card === undefined ? [] : [["card", card] as [string, string]]),
    ];
    for (const [what, value] of own) {
      const key = `${what} ${value}`;
      const other = seen.get(key);
      if (other === undefined) seen.set(key, line);
      else problems.push(`line ${line}: ${what} ${value} is that of line ${other} too`);
    }
  }
  return problems;
}
