import { SW } from "../../apdu/status.ts";
import { encodeTlv, findTlv, parseTlvs, readTlv } from "../../apdu/tlv.ts";
import { PIV_ALGORITHM, type PivAlgorithm, TLV_TAG } from "../../piv/constants.ts";
import { status, success } from "../application.ts";
import type { ImportedParts, KeyPair } from "../crypto.ts";
import type { CardScript } from "../memory.ts";
import { seal, unseal } from "../vault.ts";
import { algorithmOf } from "./algorithms.ts";
import { CONTROL_REFERENCE } from "./constants.ts";
import { type OpenPgpCommand, type OpenPgpContext, withPlace } from "./context.ts";
import type { KeyName, OpenPgpKey } from "./state.ts";

/** GENERATE ASYMMETRIC KEY PAIR: section 7.2.14. P1 = 80 makes one, 81 reads the public key. */
export const generateKeyPair: OpenPgpCommand = function* (context, apdu) {
  const { session, state, crypto } = context;
  const name = namedKey(apdu.data);
  if (apdu.p2 !== 0 || (apdu.p1 !== 0x80 && apdu.p1 !== 0x81)) return status(SW.INCORRECT_P1P2);
  if (name === undefined) return status(SW.INCORRECT_DATA);
  const place = state.keys[name];
  if (apdu.p1 === 0x81) {
    if (place.key === undefined) return status(SW.REFERENCE_NOT_FOUND);
    return success(encodeTlv(TLV_TAG.publicKeyTemplate, place.key.publicKey));
  }
  if (!session.isVerified("administrator")) return status(SW.SECURITY_STATUS_NOT_SATISFIED);
  const algorithm = algorithmOf(name, place.attributes);
  const pair = algorithm === undefined ? undefined : crypto.generateKey(algorithm);
  if (pair === undefined) return status(SW.CONDITIONS_NOT_SATISFIED);
  const { publicKey } = pair;
  if (!(yield* storeKey(context, { name, pair, origin: "generated" }))) {
    return status(SW.MEMORY_FAILURE);
  }
  return success(encodeTlv(TLV_TAG.publicKeyTemplate, publicKey));
};

/**
 * PUT DATA with an odd instruction: section 4.4.3.12, a key's private parts in an extended header
 * list: 4D with a control reference template, 7F48 with tags and lengths, 5F48 with the values.
 */
export const importKey: OpenPgpCommand = function* (context, apdu) {
  const { session, state, crypto } = context;
  if (!session.isVerified("administrator")) return status(SW.SECURITY_STATUS_NOT_SATISFIED);
  if (apdu.p1 !== 0x3f || apdu.p2 !== 0xff) return status(SW.INCORRECT_P1P2);
  const header = findTlv(apdu.data, 0x4d);
  const list = header && parseTlvs(header);
  const name = list?.[0] && keyOf(list[0].tag);
  const template = list?.find(({ tag }) => tag === 0x7f48)?.value;
  const values = list?.find(({ tag }) => tag === 0x5f48)?.value;
  const members = template && values && splitValues(template, values);
  if (name === undefined || members === undefined) return status(SW.INCORRECT_DATA);
  const algorithm = algorithmOf(name, state.keys[name].attributes);
  const parts = algorithm && importedParts(algorithm, members);
  const pair = algorithm && parts && crypto.importKey(algorithm, parts);
  if (pair === undefined) return status(SW.INCORRECT_DATA);
  const saved = yield* storeKey(context, { name, pair, origin: "imported" });
  return status(saved ? SW.OK : SW.MEMORY_FAILURE);
};

/** Opens a key; a status word tells why it can't be used now. The caller wipes it. */
export function openKey(
  context: OpenPgpContext,
  name: KeyName,
): { algorithm: PivAlgorithm; secret: Uint8Array } | number {
  const { key, attributes } = context.state.keys[name];
  const { masterKey } = context.session;
  const algorithm = algorithmOf(name, attributes);
  if (key === undefined || algorithm === undefined) return SW.REFERENCE_NOT_FOUND;
  if (masterKey === undefined) return SW.SECURITY_STATUS_NOT_SATISFIED;
  const secret = unseal(key.sealed, { masterKey, context: sealContext(name, algorithm) });
  return secret === undefined ? SW.MEMORY_FAILURE : { algorithm, secret };
}

function* storeKey(
  context: OpenPgpContext,
  { name, pair, origin }: { name: KeyName; pair: KeyPair; origin: OpenPgpKey["origin"] },
): CardScript<boolean> {
  const { crypto, state } = context;
  const algorithm = algorithmOf(name, state.keys[name].attributes);
  if (algorithm === undefined) return false;
  const { vault } = state;
  const sealed = seal(pair.secret, { crypto, vault, context: sealContext(name, algorithm) });
  pair.secret.fill(0);
  const key = { origin, publicKey: pair.publicKey, sealed };
  // A new signature key begins to count anew (section 4.4.3.13).
  const counter = name === "signature" ? { signatures: 0 } : {};
  return yield* context.save({ ...withPlace(state, name, { key }), ...counter });
}

/** A key is bound to its place and algorithm. */
function sealContext(name: KeyName, algorithm: PivAlgorithm): string {
  return `openpgp key ${name} ${algorithm}`;
}

/** B6, B8 or A4, empty or with a key's number in it. */
function namedKey(data: Uint8Array): KeyName | undefined {
  const one = readTlv(data, 0);
  return one?.end === data.length ? keyOf(one.tag) : undefined;
}

function keyOf(tag: number): KeyName | undefined {
  const names = ["signature", "decipher", "authentication"] as const;
  return names.find((name) => CONTROL_REFERENCE[name] === tag);
}

/** 7F48 holds tags and lengths only; the values stand in 5F48 one after another. */
function splitValues(
  template: Uint8Array,
  values: Uint8Array,
): Map<number, Uint8Array> | undefined {
  const members = new Map<number, Uint8Array>();
  let from = 0;
  for (let at = 0; at < template.length;) {
    const head = readHead(template, at);
    if (head === undefined || members.has(head.tag)) return undefined;
    if (from + head.length > values.length) return undefined;
    members.set(head.tag, values.slice(from, from + head.length));
    from += head.length;
    at = head.end;
  }
  return from === values.length ? members : undefined;
}

/** A tag of one byte and a length of one to three. */
function readHead(
  bytes: Uint8Array,
  at: number,
): { tag: number; length: number; end: number } | undefined {
  const [tag, first, second, third] = bytes.subarray(at, at + 4);
  if (tag === undefined || first === undefined) return undefined;
  if (first < 0x80) return { tag, length: first, end: at + 2 };
  if (first === 0x81 && second !== undefined) return { tag, length: second, end: at + 3 };
  if (first !== 0x82 || second === undefined || third === undefined) return undefined;
  return { tag, length: (second << 8) | third, end: at + 4 };
}

/** Tags of private parts: section 4.4.3.12, table. PIV's import takes the same parts. */
const PART = { rsaP: 0x92, rsaQ: 0x93, scalar: 0x92 } as const;

function importedParts(
  algorithm: PivAlgorithm,
  members: ReadonlyMap<number, Uint8Array>,
): ImportedParts | undefined {
  if (algorithm === PIV_ALGORITHM.rsa2048) {
    // 91 is the exponent: it comes first, and is 65537 in every key that this card takes.
    const exponent = members.get(0x91);
    const isUsual = exponent !== undefined && BigInt(`0x0${exponent.toHex()}`) === 65537n;
    const [p, q] = [members.get(PART.rsaP), members.get(PART.rsaQ)];
    return p && q && isUsual ? { kind: "rsa", p, q } : undefined;
  }
  const scalar = members.get(PART.scalar);
  if (scalar === undefined || scalar.length > 32) return undefined;
  // A number without its leading zeros, as OpenPGP writes them.
  const bytes = new Uint8Array(32);
  bytes.set(scalar, 32 - scalar.length);
  // OpenPGP writes Curve25519's private keys the highest byte first (RFC 9580 section 5.5.5.6.1.1).
  if (algorithm === PIV_ALGORITHM.x25519) bytes.reverse();
  return { kind: "scalar", bytes };
}
