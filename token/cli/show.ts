/** `token show`: what a card is and what its profile says; never a key. */
import { SecretMemory } from "../../os/secret_memory.ts";
import type { PivClient } from "../piv/client.ts";
import { type OpenedCard, withCard } from "./card.ts";
import { CARD_FLAGS, CARD_HELP, type Given, PIN_FLAGS, readOptions } from "./options.ts";
import { findHead, openWithPin, profileFault } from "./read_profile.ts";
import { readSecrets } from "./secret_input.ts";

const HELP = `Usage: token show [options]

The card, the state of its PIN, and the head of its profile, which needs no PIN. With a PIN also
the profile's settings; keys are never shown.

${CARD_HELP}
  --pin-stdin       read the PIN from standard input and show the settings
  --pin-file FILE   read the PIN from FILE and show the settings
  --ask-pin         ask for the PIN on the terminal and show the settings
  --trust KEY       an issuer's public key (repeat for several); without it any issuer's
                    signature is accepted, and the output says so
  --json            one JSON object instead of text
  --help            this text`;

/** Firmware that has X25519 (Yubico's numbering). */
const X25519_SINCE = [5, 7] as const;

/** Runs the command. */
export async function show(args: string[]): Promise<number> {
  const given = readOptions(args, {
    flags: { ...CARD_FLAGS, ...PIN_FLAGS, "ask-pin": "flag", trust: "list", json: "flag" },
  });
  if (given === "help") {
    console.log(HELP);
    return 0;
  }
  const wantsSettings = given.flag("pin-stdin") || given.flag("ask-pin") ||
    given.text("pin-file") !== undefined;
  const [pin] = wantsSettings ? await readSecrets(given, ["PIN"]) : [];
  const facts = await withCard(given.text("reader"), (card) => describe(card, { given, pin }));
  if (given.flag("json")) console.log(JSON.stringify(facts));
  else for (const line of lines(facts)) console.log(line);
  return 0;
}

async function describe(
  card: OpenedCard,
  options: { given: Given; pin: Uint8Array | undefined },
): Promise<Record<string, unknown>> {
  const { given, pin } = options;
  const { piv } = card;
  const facts: Record<string, unknown> = {
    reader: card.reader,
    cardId: card.id,
    serial: await piv.serial(),
    version: await piv.version(),
    pin: await piv.pinStatus(),
    identities: await identityWays(piv),
  };
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
  const profile: Record<string, unknown> = {
    id: head.profileId,
    holder: head.holder,
    generation: head.generation,
    expiresAt: new Date(head.expiresAt * 1000).toISOString(),
    expired: check.result === "expired",
    issuer: head.issuer,
    issuerTrusted: isTrusted,
    otherHalfAt: head.split?.hub,
  };
  if (pin !== undefined) {
    using secrets = SecretMemory.allocate(64);
    const opened = await openWithPin(card, { ...found, head }, { pin, secrets });
    profile.settings = opened.profile;
  }
  return { ...facts, profile };
}

/** How this card can be somebody: by a key sealed to its P-256 key, or by an X25519 key of its own. */
async function identityWays(piv: PivClient): Promise<string[]> {
  const [major = 0, minor = 0] = (await piv.version())?.split(".").map(Number) ?? [];
  const [neededMajor, neededMinor] = X25519_SINCE;
  const hasX25519 = major > neededMajor || (major === neededMajor && minor >= neededMinor);
  return hasX25519 ? ["sealed", "on-card"] : ["sealed"];
}

function lines(value: Record<string, unknown>, indent = ""): string[] {
  return Object.entries(value).flatMap(([name, one]) => {
    if (one === undefined) return [];
    if (Array.isArray(one)) return [`${indent}${name}: ${one.join(", ")}`];
    if (typeof one === "object" && one !== null) {
      return [`${indent}${name}:`, ...lines(one as Record<string, unknown>, `${indent}  `)];
    }
    return [`${indent}${name}: ${one}`];
  });
}
