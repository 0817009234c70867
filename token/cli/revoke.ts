/** `token revoke`: takes profiles back, by a signed list that gateways and hubs read. */
import { randomBytes } from "node:crypto";
import type { IssuerSigner } from "../profile/jws.ts";
import { LONGEST_REVOCATIONS } from "../profile/limits.ts";
import {
  readRevocations,
  type Revocation,
  REVOCATION_REASONS,
  type RevocationList,
  type RevocationReason,
  signRevocations,
} from "../profile/revocations.ts";
import { withCard } from "./card.ts";
import { CommandError, UsageError } from "./errors.ts";
import { readBytes } from "./files.ts";
import { issuerOf } from "./issuer_key.ts";
import { CARD_FLAGS, type Given, readOptions } from "./options.ts";
import { findHead } from "./read_profile.ts";

const HELP = `Usage: token revoke --issuer FILE --list FILE WHAT [--reason WORD] [--restore]
       token revoke --issuer FILE --list FILE [--json]

Puts something on the signed list of what this issuer has taken back, and makes the list when there
is none. Copy it to the gateways and hubs ([token] revocations): they read it within a second, end
what is up, and never go back to an older list. Without WHAT it shows the list.

WHAT is one of
  --profile ID     that profile, in all its generations (token show tells the id)
  --card ID        whatever that card carries now; issued anew, the card is good again
  --this-card      the same, for the card in the reader
  --for-good       with --card and --this-card: whatever it will ever carry

  --reason WORD    ${REVOCATION_REASONS.join(", ")} (default)
  --restore        take that off the list
  --reader NAME    the reader whose name contains NAME, when there are several
  --json           the list as one JSON object
  --help           this text`;

/** Runs the command. */
export async function revoke(args: string[]): Promise<number> {
  const given = readOptions(args, {
    flags: {
      ...CARD_FLAGS,
      issuer: "text",
      list: "text",
      profile: "text",
      card: "text",
      "this-card": "flag",
      "for-good": "flag",
      reason: "text",
      restore: "flag",
      json: "flag",
    },
  });
  if (given === "help") {
    console.log(HELP);
    return 0;
  }
  const issuer = await issuerOf(given);
  const path = given.text("list");
  if (path === undefined) throw new UsageError("Cannot revoke: --list FILE is missing");
  const now = Math.floor(Date.now() / 1000);
  const former = await readList(path, issuer);
  const entry = await entryOf(given, now);
  if (entry === undefined) {
    if (former === undefined) throw new CommandError(`Cannot show ${path}: it is not there`);
    show(former, given);
    return 0;
  }
  const entries = changed(former?.entries ?? [], { entry, restore: given.flag("restore") });
  const list = { number: Math.max(now, (former?.number ?? 0) + 1), issuedAt: now, entries };
  await replaceFile(path, await signRevocations(list, issuer));
  // Generations are seconds: what is issued within this one would count as taken back too.
  if ("card" in entry && entry.upTo === now) await untilAfter(now);
  show({ ...list, issuer: issuer.publicKey }, given);
  return 0;
}

async function readList(path: string, issuer: IssuerSigner): Promise<RevocationList | undefined> {
  try {
    await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  const list = await readRevocations(await readBytes(path, LONGEST_REVOCATIONS), [
    issuer.publicKey,
  ]);
  if (typeof list !== "string") return list;
  const words = {
    damaged: "it is damaged; take the copy of a gateway or hub",
    forged: "this issuer didn't sign it; each issuer has a list of its own",
    "newer-version": "a later version of this program wrote it; update this one",
  };
  throw new CommandError(`Cannot change ${path}: ${words[list]}`);
}

async function entryOf(given: Given, now: number): Promise<Revocation | undefined> {
  const [profile, card] = [given.text("profile"), given.text("card")];
  const isHere = given.flag("this-card");
  const named = [profile, card].filter((one) => one !== undefined).length + Number(isHere);
  if (named === 0) return undefined;
  if (named > 1) {
    throw new UsageError("Cannot revoke: give one of --profile, --card and --this-card");
  }
  const reason = reasonOf(given);
  if (profile !== undefined) return { at: now, reason, profile };
  const found = card === undefined ? await cardHere(given) : { card, generation: 0 };
  // Generations follow the clock: whatever was issued until now is meant.
  const upTo = given.flag("for-good") ? Number.MAX_SAFE_INTEGER : Math.max(now, found.generation);
  return { at: now, reason, card: found.card, upTo };
}

function cardHere(given: Given): Promise<{ card: string; generation: number }> {
  return withCard(given.text("reader"), async (card) => {
    const found = await findHead(card, { ...given, list: () => [] });
    const head = typeof found === "string" || found.check.result === "fault"
      ? undefined
      : found.check.head;
    return { card: card.id, generation: head?.generation ?? 0 };
  });
}

function reasonOf(given: Given): RevocationReason {
  const word = given.text("reason") ?? "unspecified";
  const reason = REVOCATION_REASONS.find((one) => one === word);
  if (reason === undefined) {
    throw new UsageError(
      `Cannot use --reason ${word}: expected one of ${REVOCATION_REASONS.join(", ")}`,
    );
  }
  return reason;
}

function changed(
  entries: readonly Revocation[],
  { entry, restore }: { entry: Revocation; restore: boolean },
): readonly Revocation[] {
  const isSame = (one: Revocation) =>
    "profile" in one
      ? "profile" in entry && one.profile === entry.profile
      : "card" in entry && one.card === entry.card;
  const others = entries.filter((one) => !isSame(one));
  if (!restore) return [...others, entry];
  if (others.length === entries.length) {
    throw new CommandError("Cannot restore: that is not on the list");
  }
  return others;
}

/** Waits for the end of this second, unless the clock was set back meanwhile. */
async function untilAfter(second: number): Promise<void> {
  const leftMs = (second + 1) * 1000 - Date.now();
  if (leftMs > 0 && leftMs <= 1000) await new Promise((resolve) => setTimeout(resolve, leftMs));
}

/** All of it or nothing: readers look at any moment. */
async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  const aside = `${path}.new-${randomBytes(4).toString("hex")}`;
  try {
    await Deno.writeFile(aside, bytes, { createNew: true, mode: 0o644 });
    await Deno.rename(aside, path);
  } catch (error) {
    await Deno.remove(aside).catch(() => {});
    throw new CommandError(
      `Cannot write ${path}: ${error instanceof Error ? error.message : error}; check the folder`,
    );
  }
}

function show(list: RevocationList, given: Given): void {
  if (given.flag("json")) return console.log(JSON.stringify(list));
  const count = list.entries.length === 1 ? "1 entry" : `${list.entries.length} entries`;
  console.log(`list ${list.number} of ${list.issuer}, ${count}`);
  for (const entry of list.entries) {
    const what = "profile" in entry
      ? `profile ${entry.profile}`
      : entry.upTo === Number.MAX_SAFE_INTEGER
      ? `card ${entry.card} for good`
      : `card ${entry.card} up to generation ${entry.upTo}`;
    console.log(`${new Date(entry.at * 1000).toISOString()}  ${entry.reason}  ${what}`);
  }
}
