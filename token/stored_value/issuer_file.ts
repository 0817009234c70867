/**
 * What an issuing station keeps: the three master keys and every card's account, as one JSON file.
 * A state in, text out, and back. No I/O. @core
 */
import * as v from "valibot";
import type { MasterKeys } from "./keys.ts";
import type { CardAccount } from "./load_issuer.ts";
import { LENGTH } from "./wire.ts";

/** An issuer of purses. */
export interface PurseIssuer {
  readonly masters: MasterKeys;
  /** By card id, in hexadecimal. */
  readonly accounts: ReadonlyMap<string, CardAccount>;
}

const FORM = "sekisho purse issuer 1";

/** `random`: three keys' worth of random bytes. */
export function newPurseIssuer(random: Uint8Array): PurseIssuer {
  const { key } = LENGTH;
  if (random.length !== 3 * key) throw new RangeError("Cannot make an issuer: wants 96 bytes");
  const [load, settlement, receipt] = [0, 1, 2].map((at) => random.slice(at * key, (at + 1) * key));
  if (load === undefined || settlement === undefined || receipt === undefined) {
    throw new Error("Three slices are three slices");
  }
  return { masters: { load, settlement, receipt }, accounts: new Map() };
}

/** The same issuer with one card's account changed. */
export function withAccount(
  issuer: PurseIssuer,
  cardId: Uint8Array,
  account: CardAccount,
): PurseIssuer {
  return { ...issuer, accounts: new Map(issuer.accounts).set(cardId.toHex(), account) };
}

export function encodePurseIssuer({ masters, accounts }: PurseIssuer): string {
  const { load, settlement, receipt } = masters;
  const keys = { load: load.toHex(), settlement: settlement.toHex(), receipt: receipt.toHex() };
  const file = { form: FORM, masters: keys, accounts: Object.fromEntries(accounts) };
  return `${JSON.stringify(file, null, 2)}\n`;
}

/** `undefined` when the text is no issuer's file. */
export function decodePurseIssuer(text: string): PurseIssuer | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const read = v.safeParse(FILE, json);
  if (!read.success) return undefined;
  const { masters, accounts } = read.output;
  return { masters, accounts: new Map(Object.entries(accounts)) };
}

const KEY = v.pipe(
  v.string(),
  v.regex(/^[0-9a-f]{64}$/),
  v.transform((digits): Uint8Array => Uint8Array.fromHex(digits)),
);
const AMOUNT = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const ACCOUNT = v.object({
  currency: v.pipe(AMOUNT, v.maxValue(0xffff)),
  funds: AMOUNT,
  transaction: AMOUNT,
  credits: AMOUNT,
  pending: v.exactOptional(v.object({ amount: AMOUNT, credits: AMOUNT })),
  isClosed: v.boolean(),
  loaded: v.exactOptional(AMOUNT),
  mostBalance: v.exactOptional(AMOUNT),
  refund: v.exactOptional(v.object({ transaction: AMOUNT, amount: AMOUNT })),
});
const FILE = v.object({
  form: v.literal(FORM),
  masters: v.object({ load: KEY, settlement: KEY, receipt: KEY }),
  accounts: v.record(v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/)), ACCOUNT),
});
