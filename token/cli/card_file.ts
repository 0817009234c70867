/** `token card-key`, and what it writes down: a card's key to seal to, for a station without the card. */
import * as v from "valibot";
import { checkCardKey } from "../profile/piv_p256.ts";
import type { RecipientCard } from "../profile/recipients.ts";
import type { CardKey } from "../profile/types.ts";
import { withCard } from "./card.ts";
import { beAdministrator, readSlot, sealingKey } from "./card_keys.ts";
import { claimOf, PROOF_FLAGS, PROOF_HELP, proveKeys, readProofPin } from "./claimed_keys.ts";
import { mustBeNew, writeSecret } from "./files.ts";
import { readOptions } from "./options.ts";
import { proofKeyOf, proofWishOf } from "./split_flags.ts";

const HELP = `Usage: token card-key [--out FILE] [options]

Writes down the card's id and the public key that a profile can be sealed to, making that key if
there is none. token recipient add --card FILE takes it. Nothing in it is secret.

  --out FILE                  where to (default: standard output)
  --reader NAME               the reader whose name contains NAME, when there are several
  --seal-slot SLOT            the card's P-256 key: 9d (default), 82 to 95
  --new-seal-key              make a new one there, over any key
  --for-hub                   with the key that proves the card to a hub: for split profiles
  --proof-slot SLOT           that key: 9a (default), 82 to 95
  --new-proof-key             make a new one there, over any key
  --management-key-file FILE  the card's management key in hexadecimal (else the factory's)
${PROOF_HELP}
  --help                      this text`;

const slot = v.pipe(v.number(), v.integer(), v.minValue(0x82), v.maxValue(0x9d));
const publicKey = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{44}$/));

const CardSchema = v.strictObject({
  sekisho: v.literal("card-key"),
  v: v.literal(1),
  card: v.pipe(v.string(), v.minLength(1), v.maxLength(64)),
  slot,
  publicKey,
  proof: v.optional(v.strictObject({ slot, publicKey })),
});

/** Runs the command. */
export async function cardKey(args: string[]): Promise<number> {
  const given = readOptions(args, {
    flags: {
      out: "text",
      reader: "text",
      "seal-slot": "text",
      "new-seal-key": "flag",
      "for-hub": "flag",
      "proof-slot": "text",
      "new-proof-key": "flag",
      "management-key-file": "text",
      ...PROOF_FLAGS,
    },
  });
  if (given === "help") {
    console.log(HELP);
    return 0;
  }
  const out = given.text("out");
  mustBeNew(out);
  const slot = readSlot(given, "seal-slot", 0x9d);
  const proof = proofWishOf(given);
  const pin = await readProofPin(given);
  const card = await withCard(given.text("reader"), async ({ piv, id }) => {
    await beAdministrator(piv, given);
    const renew = given.flag("new-seal-key");
    const key = await sealingKey(piv, { slot, known: undefined, renew });
    const hubKey = proof && await proofKeyOf(piv, proof);
    const keys = hubKey === undefined ? [key] : [key, hubKey];
    await proveKeys(piv, keys.map(claimOf), pin);
    return { cardId: id, ...key, ...(hubKey === undefined ? {} : { proof: hubKey }) };
  });
  pin?.fill(0);
  const text = formatCardFile(card);
  if (out === undefined) console.log(text.trimEnd());
  else await writeSecret(out, text);
  return 0;
}

/** Writes a card's key down. */
export function formatCardFile({ cardId, proof, ...key }: RecipientCard): string {
  const text = ({ slot, publicKey }: CardKey) => ({
    slot,
    publicKey: publicKey.toBase64({ alphabet: "base64url", omitPadding: true }),
  });
  return `${
    JSON.stringify({
      sekisho: "card-key",
      v: 1,
      card: cardId,
      ...text(key),
      ...(proof === undefined ? {} : { proof: text(proof) }),
    })
  }\n`;
}

/** Reads a card's key; `undefined` when it is none. */
export function parseCardFile(text: string): RecipientCard | undefined {
  if (text.length > 1024) return undefined;
  try {
    const { card, proof, ...key } = v.parse(CardSchema, JSON.parse(text));
    return {
      cardId: card,
      ...keyOf(key),
      ...(proof === undefined ? {} : { proof: keyOf(proof) }),
    };
  } catch {
    return undefined; // whatever is wrong with it, it is no card's key
  }
}

/** @throws when it is no point of the curve. */
function keyOf({ slot, publicKey }: { slot: number; publicKey: string }): CardKey {
  const bytes = Uint8Array.fromBase64(publicKey, { alphabet: "base64url" });
  checkCardKey(bytes);
  return { slot, publicKey: bytes };
}
