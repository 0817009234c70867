/** `token passkey`: the passkeys that open a card's profile at gateways, without a new issue. */
import { SecretMemory } from "../../os/secret_memory.ts";
import type { CardSession } from "../pcsc/types.ts";
import { formatBundle, LONGEST_BUNDLE, parseBundle } from "../profile/bundle.ts";
import { readHead, readSealed, writeProfileToCard } from "../profile/carrier.ts";
import { checkHead } from "../profile/head.ts";
import { openProfile } from "../profile/open.ts";
import {
  parsePasskey,
  type Passkey,
  passkeyNonce,
  passkeysIn,
  withPasskeys,
} from "../profile/passkeys.ts";
import type { IssuerKey, ProfileHead } from "../profile/types.ts";
import { type Beside, findBeside } from "./beside_change.ts";
import { openPiv, pinFault, withSession } from "./card.ts";
import { beAdministrator } from "./card_keys.ts";
import { identityInFile, type Key, readKey } from "./change.ts";
import { CommandError, UsageError } from "./errors.ts";
import { mustBeNew, readBytes } from "./files.ts";
import { CARD_FLAGS, CARD_HELP, type Given, PIN_FLAGS, PIN_HELP, readOptions } from "./options.ts";
import { stage, writeWith } from "./outputs.ts";
import { cardIdentity, claimedIssuer, profileFault } from "./read_profile.ts";

const HELP = `Usage: token passkey list [--json]
       token passkey add TEXT [options]
       token passkey remove NAME [options]

The passkeys in the card's profile: at a gateway each opens it in place of the PIN. The profile is
not issued anew: its keys and its generation stay, and no issuer's key is needed. TEXT is the word
"passkey1…" that a gateway tells of a passkey it keeps (sekisho gateway --passkeys). A changed or
renewed profile opens with none of them until they are added again. Whoever has a copy of before
still opens that with a passkey that was removed.

${CARD_HELP}
  --management-key-file FILE  the card's management key in hexadecimal (else the factory's)
  --bundle FILE               the profile lies in FILE beside the card; --bundle-out takes the new one
  --bundle-out FILE           where the profile with the passkeys of now is written
${PIN_HELP}
  --identity-file FILE        open the profile with an age identity instead of the card's PIN
  --identity-password-file FILE  the password of that identity
  --json                      one JSON array instead of lines
  --help                      this text`;

/** Runs the command. */
export async function passkey(args: string[]): Promise<number> {
  const given = readOptions(args, {
    flags: {
      ...CARD_FLAGS,
      ...PIN_FLAGS,
      "management-key-file": "text",
      bundle: "text",
      "bundle-out": "text",
      "identity-file": "text",
      "identity-password-file": "text",
      json: "flag",
    },
    positionals: 2,
  });
  if (given === "help") {
    console.log(HELP);
    return 0;
  }
  const [verb, what] = given.positionals;
  if ((given.text("bundle") === undefined) !== (given.text("bundle-out") === undefined)) {
    if (verb !== "list") {
      throw new UsageError(
        "Cannot change a profile in a file: --bundle and --bundle-out go together",
      );
    }
  }
  if (verb === "list" && what === undefined) await list(given);
  else if (verb === "add" && what !== undefined) {
    await change(given, (there, nonce) => added(there, { text: what, nonce }));
  } else if (verb === "remove" && what !== undefined) {
    await change(given, (there) => removed(there, what));
  } else throw new UsageError("Cannot tell what to do: list, add TEXT or remove NAME");
  return 0;
}

async function list(given: Given): Promise<void> {
  const { sealed, head } = await withSession(
    given.text("reader"),
    (session) => find(session, given),
  );
  const names = passkeysIn(sealed, passkeyNonce(head.inner)).map(({ name }) => name);
  if (given.flag("json")) return console.log(JSON.stringify(names));
  for (const name of names) console.log(name);
  if (names.length === 0) console.error("note: no passkey is in this profile");
}

async function change(
  given: Given,
  change: (there: readonly Passkey[], nonce: Uint8Array) => readonly Passkey[],
): Promise<void> {
  mustBeNew(given.text("bundle-out"));
  const key = await readKey(given);
  const names = await withSession(given.text("reader"), async (session) => {
    const token = await find(session, given);
    const { head, sealed } = token;
    const nonce = passkeyNonce(head.inner);
    const passkeys = change(passkeysIn(sealed, nonce), nonce);
    const fileKey = await fileKeyOf(token, key);
    try {
      await token.write(withPasskeys(sealed, { passkeys, nonce, fileKey }));
    } finally {
      fileKey.fill(0);
    }
    return passkeys.map(({ name }) => name);
  });
  if (given.flag("json")) return console.log(JSON.stringify(names));
  console.log(
    names.length === 0
      ? "No passkey opens this profile any more."
      : `These passkeys open this profile: ${names.join(", ")}.`,
  );
}

function added(
  there: readonly Passkey[],
  { text, nonce }: { text: string; nonce: Uint8Array },
): Passkey[] {
  const passkey = parsePasskey(text, nonce);
  if (passkey === undefined) {
    throw new UsageError("Cannot add the passkey: TEXT is no passkey; copy all of it");
  }
  if (passkey === "another-profile") {
    throw new CommandError(
      "Cannot add the passkey: it is for another profile, or for one of before; add it at the " +
        "gateway again, with this card in it",
    );
  }
  const same = there.find(({ name, body }) =>
    name === passkey.name || body.every((byte, at) => byte === passkey.body[at])
  );
  if (same !== undefined) {
    throw new CommandError(
      `Cannot add the passkey: ${same.name} is there already; remove that one first`,
    );
  }
  return [...there, passkey];
}

function removed(there: readonly Passkey[], name: string): Passkey[] {
  const rest = there.filter((one) => one.name !== name);
  if (rest.length < there.length) return rest;
  throw new CommandError(
    `Cannot remove the passkey ${name}: there is none of that name; token passkey list names them`,
  );
}

/** A profile where it lies, on a card or in a file beside it. */
interface Token extends Pick<Beside, "sealed" | "verifyPin" | "identity"> {
  readonly head: ProfileHead;
  readonly issuerKeys: readonly IssuerKey[];
  readonly write: (sealed: Uint8Array) => Promise<void>;
}

async function find(session: CardSession, given: Given): Promise<Token> {
  const path = given.text("bundle");
  if (path !== undefined) {
    const beside = await findBeside(session, path);
    const checked = await checkedHead(beside.head, beside.cardId);
    return { ...beside, ...checked, write: (sealed) => writeBeside(given, { path, sealed }) };
  }
  const card = await openPiv(session);
  if (card === undefined) {
    throw new CommandError(
      `Cannot use the card in ${session.reader}: it is no PIV card; insert one, or give --bundle`,
    );
  }
  const { piv } = card;
  const read = await readHead(piv);
  if (read.result === "fault") throw profileFault(read.fault);
  const { carried } = read;
  const sealed = await readSealed(piv, carried);
  if (sealed === undefined) throw profileFault("damaged");
  return {
    ...await checkedHead(carried.head, card.id),
    sealed,
    verifyPin: (pin) => piv.verifyPin(pin),
    identity: (head) => cardIdentity(piv, head),
    async write(sealed) {
      await beAdministrator(piv, given);
      await writeWith([], {
        what: "card",
        write: () => writeProfileToCard(piv, { head: carried.head, sealed }),
      });
    },
  };
}

/** Whoever signed it: the signature stays as it is, and gateways look whose it is. */
async function checkedHead(bytes: Uint8Array, cardId: string) {
  const issuerKeys = claimedIssuer(bytes);
  const check = await checkHead(bytes, { issuerKeys, cardId, now: 0, highestGeneration: 0 });
  if (check.result === "fault") throw profileFault(check.fault);
  return { head: check.head, issuerKeys };
}

/** The container's key, for whoever proves to be its holder; the caller wipes it. */
async function fileKeyOf(token: Token, key: Key): Promise<Uint8Array> {
  const { head, sealed, issuerKeys } = token;
  if (head.split !== undefined) {
    throw new CommandError(
      "Cannot use a passkey: the profile is in two halves, and its hub has a say in each opening",
    );
  }
  const { pin, identityFile } = key;
  const fault = pin === undefined ? undefined : pinFault("PIN", await token.verifyPin(pin));
  pin?.fill(0);
  if (fault !== undefined) throw fault;
  const identity = identityFile === undefined
    ? token.identity(head)
    : await identityInFile(identityFile, key);
  using secrets = SecretMemory.allocate(64);
  const fileKey = new Uint8Array(16);
  const opened = await openProfile({
    ...{ sealed, head, identity, secrets, issuerKeys },
    onFileKey: (one) => fileKey.set(one),
  });
  if (opened.result === "fault") throw profileFault(opened.fault);
  if (opened.profile.identity.kind === "on-card") {
    fileKey.fill(0);
    throw new CommandError(
      "Cannot use a passkey: this profile's key is on the card and works with the card's PIN only",
    );
  }
  return fileKey;
}

async function writeBeside(
  given: Given,
  { path, sealed }: { path: string; sealed: Uint8Array },
): Promise<void> {
  const out = given.text("bundle-out");
  const bundle = parseBundle(new TextDecoder().decode(await readBytes(path, LONGEST_BUNDLE)));
  const [head, ...others] = bundle?.heads ?? [];
  if (out === undefined || head === undefined) throw new Error("Both were there before");
  const otherHeads = new Map(others.map((one, index) => [String(index), one]));
  const content = formatBundle({ head, otherHeads, sealed });
  await (await stage([{ path: out, content }])).commit();
}
