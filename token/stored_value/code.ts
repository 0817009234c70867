/**
 * What people carry between a purse and its issuer, as text: questions, answers and receipts. It
 * survives a telephone, a QR code and a keyboard: Crockford's Base32 in groups of five, with a check
 * against mistyping. Bytes in, text out, and back. @core
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { concat } from "../apdu/tlv.ts";
import { decodeReceipt, encodeReceipt, type Receipt } from "./receipt.ts";
import {
  type AskedQuestion,
  decodeQuestion,
  encodeQuestion,
  FieldReader,
  LENGTH,
  numberField,
} from "./wire.ts";

/** The issuer's consent on its way to the card: for which question of which card. */
export interface Answer {
  readonly cardId: Uint8Array;
  readonly transaction: number;
  readonly mac: Uint8Array;
}

/** What a text says; or that it is cut or mistyped. */
export type Code =
  | { readonly is: "question"; readonly question: AskedQuestion }
  | { readonly is: "answer"; readonly answer: Answer }
  | { readonly is: "receipt"; readonly receipt: Receipt }
  | { readonly is: "nothing" };

export function questionCode(question: AskedQuestion): string {
  return encode(KIND.question, encodeQuestion(question));
}

export function answerCode({ cardId, transaction, mac }: Answer): string {
  return encode(KIND.answer, concat(cardId, numberField(transaction, 4), mac));
}

export function receiptCode(receipt: Receipt): string {
  return encode(KIND.receipt, encodeReceipt(receipt));
}

/** Reads any of them. Case, blanks and hyphens don't count; O is 0, and I and L are 1. */
export function readCode(text: string): Code {
  const bytes = text.length > LONGEST ? undefined : fromBase32(text);
  if (bytes === undefined || bytes.length <= 1 + CHECK) return NOTHING;
  const kind = bytes[0];
  const body = bytes.slice(1, -CHECK);
  const check = checkOf(bytes.subarray(0, -CHECK));
  if (bytes.at(-2) !== check[0] || bytes.at(-1) !== check[1]) return NOTHING;
  if (kind === KIND.question) {
    const question = decodeQuestion(body);
    return question === undefined ? NOTHING : { is: "question", question };
  }
  if (kind === KIND.receipt) {
    const receipt = decodeReceipt(body);
    return receipt === undefined ? NOTHING : { is: "receipt", receipt };
  }
  if (kind !== KIND.answer || body.length !== ANSWER) return NOTHING;
  const fields = new FieldReader(body);
  const cardId = fields.bytes(LENGTH.cardId);
  const transaction = fields.number(4);
  return { is: "answer", answer: { cardId, transaction, mac: fields.bytes(LENGTH.mac) } };
}

const KIND = { question: 0x51, answer: 0x41, receipt: 0x52 } as const;
const NOTHING: Code = { is: "nothing" };
const ANSWER = LENGTH.cardId + 4 + LENGTH.mac;
/** Bytes of the check: one mistyped text in 65,536 passes it, and the card's MAC refuses that. */
const CHECK = 2;
/** None is longer than a few hundred characters. */
const LONGEST = 1_024;
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const GROUP = 5;

function encode(kind: number, body: Uint8Array): string {
  const bytes = concat(Uint8Array.of(kind), body);
  const text = toBase32(concat(bytes, checkOf(bytes)));
  return text.match(new RegExp(`.{1,${GROUP}}`, "g"))?.join("-") ?? "";
}

function checkOf(bytes: Uint8Array): Uint8Array {
  return sha256(bytes).slice(0, CHECK);
}

function toBase32(bytes: Uint8Array): string {
  let [text, value, bits] = ["", 0, 0];
  for (const byte of bytes) {
    value = (value << 8 | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[value >> bits & 31];
    }
  }
  return bits === 0 ? text : text + ALPHABET[value << (5 - bits) & 31];
}

/** `undefined`: another character is in it, or it doesn't end where a byte does. */
function fromBase32(text: string): Uint8Array | undefined {
  const digits = text.toUpperCase().replaceAll(/[\s-]/g, "")
    .replaceAll("O", "0").replaceAll(/[IL]/g, "1");
  const bytes: number[] = [];
  let [value, bits] = [0, 0];
  for (const digit of digits) {
    const five = ALPHABET.indexOf(digit);
    if (five === -1) return undefined;
    value = (value << 5 | five) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push(value >> bits & 0xff);
  }
  const rest = value & ((1 << bits) - 1);
  return bits >= 5 || rest !== 0 ? undefined : Uint8Array.from(bytes);
}
