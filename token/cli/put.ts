/** `token put`: a profile from a file onto the card or stick that it is for. */
import { readHead, writeProfileToCard } from "../profile/carrier.ts";
import { checkHead } from "../profile/head.ts";
import { parseIssuerKey } from "../profile/jws.ts";
import type { IssuerKey, ProfileHead } from "../profile/types.ts";
import { type Bundle, LONGEST_BUNDLE, parseBundle } from "../profile/bundle.ts";
import { type OpenedCard, withCard } from "./card.ts";
import { beAdministrator } from "./card_keys.ts";
import { CommandError, UsageError } from "./errors.ts";
import { readBytes } from "./files.ts";
import { type Given, readOptions } from "./options.ts";
import { writeWith } from "./outputs.ts";
import { putOnStick } from "./put_stick.ts";
import { profileFault } from "./read_profile.ts";

const HELP = `Usage: token put FILE --trust KEY [options]

Writes a profile that lies in FILE (--bundle-out) to the card or stick, when it is for that one, by
a trusted issuer, and newer than the one that is there. Needs no PIN and no issuer's key.

  --trust KEY                 the issuer's public key (repeat for several)
  --reader NAME               the reader whose name contains NAME, when there are several
  --stick DEVICE|FILE         not to a card but to this stick; its password and program stay
  --management-key-file FILE  the card's management key in hexadecimal (else the factory's)
  --help                      this text`;

/** Runs the command. */
export async function put(args: string[]): Promise<number> {
  const given = readOptions(args, {
    flags: { trust: "list", reader: "text", stick: "text", "management-key-file": "text" },
    positionals: 1,
  });
  if (given === "help") {
    console.log(HELP);
    return 0;
  }
  const [path] = given.positionals;
  if (path === undefined) throw new UsageError("Cannot put a profile: FILE is missing");
  const issuerKeys = given.list("trust").map(parseIssuerKey).filter((key) => key !== undefined);
  if (issuerKeys.length === 0) {
    throw new UsageError("Cannot put a profile: name its issuer (--trust KEY)");
  }
  const bundle = parseBundle(new TextDecoder().decode(await readBytes(path, LONGEST_BUNDLE)));
  if (bundle === undefined) {
    throw new CommandError(`Cannot put ${path}: it is damaged, or no profile; write it again`);
  }
  const stick = given.text("stick");
  const head = stick === undefined
    ? await withCard(given.text("reader"), (card) => putOn(card, { given, bundle, issuerKeys }))
    : await putOnStick(stick, { bundle, issuerKeys });
  console.log(
    `Wrote profile ${head.profileId} (generation ${head.generation}) for ${head.holder} to the ` +
      `${stick === undefined ? `card ${head.cardId}` : head.cardId}.`,
  );
  return 0;
}

async function putOn(
  card: OpenedCard,
  request: { given: Given; bundle: Bundle; issuerKeys: readonly IssuerKey[] },
): Promise<ProfileHead> {
  const { given, bundle, issuerKeys } = request;
  const now = Math.floor(Date.now() / 1000);
  const there = await readHead(card.piv);
  const check = (head: Uint8Array, highestGeneration: number) =>
    checkHead(head, { issuerKeys, cardId: card.id, now, highestGeneration });
  const current = there.result === "ok" ? await check(there.carried.head, 0) : undefined;
  const highest = current === undefined || current.result === "fault" ? 0 : current.head.generation;
  let fault = profileFault("other-card");
  for (const head of bundle.heads) {
    const checked = await check(head, highest);
    if (checked.result === "fault") {
      if (checked.fault !== "other-card") fault = profileFault(checked.fault);
      continue;
    }
    await beAdministrator(card.piv, given);
    const { sealed } = bundle;
    await writeWith([], {
      what: "card",
      write: () => writeProfileToCard(card.piv, { head, sealed }),
    });
    return checked.head;
  }
  throw fault;
}
