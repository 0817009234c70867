/** `token recipient`: who can open the card's profile, without new keys. */
import { SecretMemory } from "../../os/secret_memory.ts";
import { makeAgeKey, makePasswordIdentity } from "../profile/age_identity.ts";
import { recipientKinds } from "../profile/container.ts";
import { readHead, readSealed } from "../profile/carrier.ts";
import { MOST_RECIPIENTS } from "../profile/limits.ts";
import type { ProfileRecipient } from "../profile/profile.ts";
import { cardRecipient } from "../profile/recipients.ts";
import { type OpenedCard, withCard } from "./card.ts";
import { parseCardFile } from "./card_file.ts";
import { CHANGE_FLAGS, CHANGE_HELP, readKey, secretName } from "./change.ts";
import { withChangeable } from "./changeable.ts";
import { CommandError, UsageError } from "./errors.ts";
import { mustBeNew, readText } from "./files.ts";
import { issuerOf } from "./issuer_key.ts";
import { CARD_FLAGS, type Given, PIN_FLAGS, readOptions } from "./options.ts";
import type { Output } from "./outputs.ts";
import { findHead, openWithPin, profileFault } from "./read_profile.ts";
import { checkRecipient } from "./recipient_flags.ts";
import { readSecrets } from "./secret_input.ts";
import { findStickFor, openStickForChange } from "./stick_change.ts";
import { readPasswordFile } from "./password_file.ts";
import { sayIssued } from "./say_issued.ts";

const HELP = `Usage: token recipient list [--pin-stdin | --pin-file FILE | --ask-pin] [--json]
       token recipient add NAME --issuer FILE WAY [options]
       token recipient remove NAME --issuer FILE [options]

Who can open the card's profile. The keys in it stay the same, so the hub hears nothing of this.
Whoever is removed can't open what is written from now on; a copy of before, with his key, still
opens until the keys change (token edit --new-keys) and the hub no longer takes the old ones.

WAY is one of
  --age age1...               a stock age recipient
  --card FILE                 a second card, as token card-key wrote it down there
                              (--for-hub, when the profile is split)
  --password-file FILE --identity-out FILE   a password: the file that it opens (age -d -i FILE)
  --new-recovery              a recovery identity, printed once
  --recovery-out FILE         a recovery identity, written to FILE

${CHANGE_HELP}
  --help                      this text`;

/** Runs the command. */
export async function recipient(args: string[]): Promise<number> {
  const given = readOptions(args, {
    flags: {
      ...CHANGE_FLAGS,
      ...CARD_FLAGS,
      ...PIN_FLAGS,
      "ask-pin": "flag",
      trust: "list",
      age: "text",
      card: "text",
      "password-file": "text",
      "identity-out": "text",
      "new-recovery": "flag",
      "recovery-out": "text",
    },
    positionals: 2,
  });
  if (given === "help") {
    console.log(HELP);
    return 0;
  }
  const [verb, name] = given.positionals;
  if (verb === "list" && name === undefined) await list(given);
  else if ((verb === "add" || verb === "remove") && name !== undefined) {
    if (!/^[\p{L}\p{N}][\p{L}\p{N}@._ -]{0,62}$/u.test(name)) {
      throw new UsageError(`Cannot name a recipient ${JSON.stringify(name)}`);
    }
    await change(given, { verb, name });
  } else throw new UsageError("Cannot tell what to do: list, add NAME or remove NAME");
  return 0;
}

async function list(given: Given): Promise<void> {
  const wantsNames = given.flag("pin-stdin") || given.flag("ask-pin") ||
    given.text("pin-file") !== undefined;
  const [pin] = wantsNames ? await readSecrets(given, [secretName(given)]) : [];
  const found = given.text("stick") === undefined
    ? await withCard<readonly { readonly kind: string }[]>(
      given.text("reader"),
      (card) => pin === undefined ? kindsOn(card) : namesOn(card, { given, pin }),
    )
    : await listStick(given, pin);
  if (given.flag("json")) return console.log(JSON.stringify(found));
  for (const one of found) {
    console.log(Object.values(one).join("  "));
  }
  if (pin === undefined) {
    console.error("note: these are the kinds that the container names; with the PIN, who they are");
  }
}

/** A stick says nothing to whoever doesn't know its issuer. */
async function listStick(
  given: Given,
  pin: Uint8Array | undefined,
): Promise<readonly { readonly kind: string }[]> {
  const stick = await findStickFor(given.text("stick") ?? "", await issuerOf(given));
  if (pin === undefined) {
    return (recipientKinds(stick.found.profile) ?? []).map((kind) => ({ kind }));
  }
  const now = Math.floor(Date.now() / 1000);
  using opened = await openStickForChange(stick, { key: { pin }, now });
  return opened.recipients;
}

/** What anybody can see who has the container. */
async function kindsOn(card: OpenedCard): Promise<{ kind: string }[]> {
  const read = await readHead(card.piv);
  if (read.result === "fault") throw profileFault(read.fault);
  const sealed = await readSealed(card.piv, read.carried);
  const kinds = sealed && recipientKinds(sealed);
  if (kinds === undefined) throw profileFault("damaged");
  return kinds.map((kind) => ({ kind }));
}

async function namesOn(
  card: OpenedCard,
  { given, pin }: { given: Given; pin: Uint8Array },
): Promise<readonly ProfileRecipient[]> {
  const found = await findHead(card, given);
  if (typeof found === "string") throw profileFault(found);
  if (found.check.result === "fault") throw profileFault(found.check.fault);
  using secrets = SecretMemory.allocate(64);
  const { head } = found.check;
  const { profile } = await openWithPin(card, { ...found, head }, { pin, secrets });
  return profile.recipients ?? [];
}

async function change(
  given: Given,
  { verb, name }: { verb: "add" | "remove"; name: string },
): Promise<void> {
  const issuer = await issuerOf(given);
  const added = verb === "add" ? await wayOf(given, name) : undefined;
  const key = await readKey(given);
  const summary = await withChangeable(given, issuer, async (token) => {
    const now = Math.floor(Date.now() / 1000);
    using former = await token.open({ issuer, key, now });
    const recipients = added === undefined
      ? without(former.recipients, { name, cardId: former.profile.cardId })
      : withNew(former.recipients, added.recipient);
    if (added?.recipient.kind === "card" && former.profile.identity.kind === "on-card") {
      throw new CommandError(
        "Cannot add a card: the profile's key was made on the first one and never leaves it; " +
          "issue the second card a profile of its own",
      );
    }
    checkProof(added?.recipient, { isSplit: former.head.split !== undefined, given });
    return await token.write(former, {
      given,
      issuer,
      now,
      profile: former.profile,
      privateKey: former.privateKey,
      presharedKey: former.presharedKey,
      recipients,
      files: { peer: undefined, psk: undefined },
      outputs: added?.outputs ?? [],
    });
  });
  sayIssued(given, summary, added?.shown);
  if (verb === "remove") {
    console.error(
      `note: whoever has ${name} and a copy of the profile from before can still open that copy, ` +
        "and the keys in it are still in force; change them with token edit --new-keys and tell " +
        "the hub",
    );
  }
}

/** A card of a split profile has a half of its own at the hub, which it asks for by a key. */
function checkProof(
  added: ProfileRecipient | undefined,
  { isSplit, given }: { isSplit: boolean; given: Given },
): void {
  if (!isSplit || added?.kind !== "card" || added.proof !== undefined) return;
  throw new CommandError(
    `Cannot add ${added.name}: the profile is split, and ${given.text("card")} names no key that ` +
      "proves the card to the hub; write it with token card-key --for-hub",
  );
}

interface Added {
  readonly recipient: ProfileRecipient;
  readonly outputs: readonly Output[];
  readonly shown?: string;
}

async function wayOf(given: Given, name: string): Promise<Added> {
  const [age, card] = [given.text("age"), given.text("card")];
  const password = given.text("password-file");
  const recovery = given.flag("new-recovery") || given.text("recovery-out") !== undefined;
  const ways = [age, card, password].filter((way) => way !== undefined).length + Number(recovery);
  if (ways !== 1) {
    throw new UsageError(
      "Cannot add a recipient: give one of --age, --card, --password-file, --new-recovery, " +
        "--recovery-out",
    );
  }
  if (age !== undefined) {
    checkRecipient(age);
    return { recipient: { kind: "x25519", name, recipient: age }, outputs: [] };
  }
  if (card !== undefined) {
    const key = parseCardFile(await readText(card));
    if (key === undefined) {
      throw new CommandError(
        `Cannot use ${card}: it is no card's key; make it with token card-key`,
      );
    }
    return { recipient: cardRecipient(name, key), outputs: [] };
  }
  return password === undefined
    ? await recoveryWay(given, name)
    : await passwordWay(given, { name, password });
}

async function passwordWay(
  given: Given,
  { name, password: path }: { name: string; password: string },
): Promise<Added> {
  const out = given.text("identity-out");
  if (out === undefined) {
    throw new UsageError(
      "Cannot add a password: it opens a file, and that must lie somewhere; give --identity-out",
    );
  }
  mustBeNew(out);
  const password = await readPasswordFile(path);
  const { recipient, file } = await makePasswordIdentity(password);
  password.fill(0);
  return {
    recipient: { kind: "password", name, recipient },
    outputs: [{ path: out, content: file }],
  };
}

async function recoveryWay(given: Given, name: string): Promise<Added> {
  const out = given.text("recovery-out");
  if (out === undefined && given.flag("json")) {
    throw new UsageError("Cannot print a secret within JSON: give --recovery-out FILE");
  }
  const { identity, recipient } = await makeAgeKey();
  const file = `# public key: ${recipient}\n${identity}\n`;
  return {
    recipient: { kind: "recovery", name, recipient },
    outputs: out === undefined ? [] : [{ path: out, content: file }],
    ...(out === undefined ? { shown: file } : {}),
  };
}

function withNew(
  recipients: readonly ProfileRecipient[],
  added: ProfileRecipient,
): readonly ProfileRecipient[] {
  const isSame = (one: ProfileRecipient) =>
    one.kind === "card"
      ? added.kind === "card" && one.cardId === added.cardId
      : added.kind !== "card" && one.recipient === added.recipient;
  const there = recipients.find((one) => one.name === added.name || isSame(one));
  if (there !== undefined) {
    throw new CommandError(
      `Cannot add ${added.name}: ${there.name} is there already; remove it, or choose another name`,
    );
  }
  if (recipients.length >= MOST_RECIPIENTS) {
    throw new CommandError(`Cannot add ${added.name}: a profile has ${MOST_RECIPIENTS} at most`);
  }
  return [...recipients, added];
}

function without(
  recipients: readonly ProfileRecipient[],
  { name, cardId }: { name: string; cardId: string },
): readonly ProfileRecipient[] {
  const found = recipients.find((one) => one.name === name);
  if (found === undefined) {
    throw new CommandError(`Cannot remove ${name}: there is no such recipient; see recipient list`);
  }
  if (found.kind === "card" && found.cardId === cardId) {
    throw new CommandError(
      `Cannot remove ${name}: the profile is that card's; revoke it with token revoke`,
    );
  }
  return recipients.filter((one) => one !== found);
}
