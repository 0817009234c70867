/** `token show`: what a card is and what its profile says; never a key. */
import { randomBytes } from "node:crypto";
import { SecretMemory } from "../../os/secret_memory.ts";
import type { CardSession } from "../pcsc/types.ts";
import { type OpenedCard, openPiv, withSession } from "./card.ts";
import { type CardFacts, describeOpenPgp, describePiv, keyFacts, ways } from "./card_facts.ts";
import { CommandError } from "./errors.ts";
import { CARD_FLAGS, CARD_HELP, type Given, PIN_FLAGS, readOptions } from "./options.ts";
import { readSealed } from "../profile/carrier.ts";
import { passkeyNonce, passkeysIn } from "../profile/passkeys.ts";
import { findHead, openWithPin, profileFault } from "./read_profile.ts";
import { readSecrets } from "./secret_input.ts";
import { describeStick } from "./show_stick.ts";

const HELP = `Usage: token show [options]

The card, what it can do and why, its public keys, certificates and attestations, the state of its
PIN, and the head of its profile, which needs no PIN. With a PIN also the profile's settings, and
each key is challenged: a card that lies about one is found out. Private keys are never shown.

${CARD_HELP}
  --stick DEVICE    not a card but this stick, device or file; its password stands where the PIN does
  --pin-stdin       read the PIN from standard input and show the settings
  --pin-file FILE   read the PIN from FILE and show the settings
  --ask-pin         ask for the PIN on the terminal and show the settings
  --trust KEY       an issuer's public key (repeat for several); without it any issuer's
                    signature is accepted, and the output says so
  --json            one JSON object instead of text
  --help            this text`;

/** Runs the command. */
export async function show(args: string[]): Promise<number> {
  const given = readOptions(args, {
    flags: {
      ...CARD_FLAGS,
      ...PIN_FLAGS,
      stick: "text",
      "ask-pin": "flag",
      trust: "list",
      json: "flag",
    },
  });
  if (given === "help") {
    console.log(HELP);
    return 0;
  }
  const wantsSettings = given.flag("pin-stdin") || given.flag("ask-pin") ||
    given.text("pin-file") !== undefined;
  const stick = given.text("stick");
  const what = stick === undefined ? "PIN" : "Password";
  const [pin] = wantsSettings ? await readSecrets(given, [what]) : [];
  if (stick !== undefined) {
    const told = await describeStick(stick, { given, password: pin });
    if (given.flag("json")) console.log(JSON.stringify(told));
    else for (const line of lines(told)) console.log(line);
    return 0;
  }
  const facts = await withSession(
    given.text("reader"),
    (session) => describeAny(session, { given, pin }),
  );
  if (given.flag("json")) console.log(JSON.stringify(facts));
  else for (const line of lines({ ...facts, ...ways(facts.capabilities) })) console.log(line);
  return 0;
}

async function describeAny(
  session: CardSession,
  options: { given: Given; pin: Uint8Array | undefined },
): Promise<CardFacts> {
  const card = await openPiv(session);
  if (card !== undefined) return await describe(card, options);
  const openPgp = await describeOpenPgp(session);
  if (openPgp === undefined) {
    throw new CommandError(
      `Cannot use the card in ${session.reader}: it is neither a PIV nor an OpenPGP card; ` +
        "insert one",
    );
  }
  if (options.pin !== undefined) {
    throw new CommandError(
      `Cannot show the profile in ${session.reader}: an OpenPGP card holds at most its key; ` +
        "leave the PIN away",
    );
  }
  return openPgp;
}

async function describe(
  card: OpenedCard,
  options: { given: Given; pin: Uint8Array | undefined },
): Promise<CardFacts> {
  const { given, pin } = options;
  const { piv } = card;
  const facts = await describePiv(card);
  const found = await findHead(card, given);
  if (typeof found === "string") {
    if (pin !== undefined) throw profileFault(found);
    return { ...facts, profile: { fault: found } };
  }
  const { check, isTrusted } = found;
  if (check.result === "fault") {
    if (pin !== undefined) throw profileFault(check.fault);
    return { ...facts, profile: { fault: check.fault } };
  }
  const { head } = check;
  const sealed = await readSealed(piv, found.carried) ?? new Uint8Array(0);
  const passkeys = passkeysIn(sealed, passkeyNonce(head.inner)).map(({ name }) => name);
  const profile: Record<string, unknown> = {
    id: head.profileId,
    holder: head.holder,
    generation: head.generation,
    expiresAt: new Date(head.expiresAt * 1000).toISOString(),
    expired: check.result === "expired",
    issuer: head.issuer,
    issuerTrusted: isTrusted,
    asksUserId: head.asksUserId,
    otherHalfAt: head.split?.hub,
    ...(passkeys.length === 0 ? {} : { passkeys }),
  };
  if (pin !== undefined) {
    using secrets = SecretMemory.allocate(64);
    const opened = await openWithPin(card, { ...found, head }, { pin, secrets });
    profile.settings = opened.profile;
    // The PIN is verified now: each key can be asked whether it is the one that the card names.
    const challenge = (length: number) => new Uint8Array(randomBytes(length));
    return { ...facts, keys: await keyFacts(piv, challenge), profile };
  }
  return { ...facts, profile };
}

/** An entry of a list, which may have parts. */
function words(entry: unknown): string {
  if (typeof entry !== "object" || entry === null) return String(entry);
  return Object.values(entry).map(words).join(" ");
}

function lines(value: Record<string, unknown>, indent = ""): string[] {
  return Object.entries(value).flatMap(([name, one]) => {
    if (one === undefined) return [];
    if (Array.isArray(one)) return [`${indent}${name}: ${one.map(words).join(", ")}`];
    if (typeof one === "object" && one !== null) {
      return [`${indent}${name}:`, ...lines(one as Record<string, unknown>, `${indent}  `)];
    }
    return [`${indent}${name}: ${one}`];
  });
}
