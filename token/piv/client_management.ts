/** The card administrator's key: SP 800-73-4 part 2, section 3.2.4, mutual authentication. */
import { createCipheriv, createDecipheriv, timingSafeEqual } from "node:crypto";
import type { CardChannel } from "../apdu/channel.ts";
import { command } from "../apdu/command.ts";
import { SW } from "../apdu/status.ts";
import { concat, encodeTlv, findTlv } from "../apdu/tlv.ts";
import { garbled, refusal } from "./client_errors.ts";
import { exchange } from "./client_exchange.ts";
import { metadata } from "./client_keys.ts";
import {
  KEY_REFERENCE,
  PIV_ALGORITHM,
  PIV_INS,
  type PivAlgorithm,
  SET_MANAGEMENT_KEY,
  TLV_TAG,
  YUBICO_INS,
} from "./constants.ts";

/** What every card leaves the factory with (SP 800-73 names none; Yubico and others use this). */
export const FACTORY_MANAGEMENT_KEY: Uint8Array = Uint8Array.from(
  { length: 24 },
  (_, index) => (index % 8) + 1,
);

const CIPHERS: ReadonlyMap<number, { name: string; keyBytes: number; block: number }> = new Map([
  // One block of CBC with a zero vector is ECB, which the runtime lacks for 3DES.
  [PIV_ALGORITHM.tripleDes, { name: "des-ede3-cbc", keyBytes: 24, block: 8 }],
  [PIV_ALGORITHM.aes128, { name: "aes-128-cbc", keyBytes: 16, block: 16 }],
  [PIV_ALGORITHM.aes192, { name: "aes-192-ecb", keyBytes: 24, block: 16 }],
  [PIV_ALGORITHM.aes256, { name: "aes-256-cbc", keyBytes: 32, block: 16 }],
]);

/**
 * Proves the management key to the card, and the card to us.
 * @param challenge Random bytes, one block of the cipher or more (16).
 * @returns Whether the key is the card's.
 */
export async function authenticateManagement(
  channel: CardChannel,
  options: { key: Uint8Array; challenge: Uint8Array },
): Promise<boolean> {
  const known = (await metadata(channel, KEY_REFERENCE.management))?.algorithm;
  const candidates = [...CIPHERS.keys()].filter((algorithm) =>
    CIPHERS.get(algorithm)?.keyBytes === options.key.length &&
    (known === undefined || known === algorithm)
  );
  for (const algorithm of candidates) {
    if (await prove(channel, { ...options, algorithm })) return true;
  }
  return false;
}

/**
 * Puts another management key in the place of the proven one (Yubico's SET MANAGEMENT KEY). The
 * caller wipes `key`.
 */
export async function setManagementKey(
  channel: CardChannel,
  options: { algorithm: PivAlgorithm; key: Uint8Array; touch?: boolean },
): Promise<void> {
  const { algorithm, key, touch } = options;
  if (CIPHERS.get(algorithm)?.keyBytes !== key.length) {
    throw new RangeError(`Cannot use ${key.length} bytes as a management key of ${algorithm}`);
  }
  const data = concat(Uint8Array.of(algorithm, KEY_REFERENCE.management, key.length), key);
  const { p1, touch: withTouch, noTouch } = SET_MANAGEMENT_KEY;
  try {
    const { sw } = await exchange(
      channel,
      command({ ins: YUBICO_INS.setManagementKey, p1, p2: touch ? withTouch : noTouch }, { data }),
    );
    if (sw !== SW.OK) throw refusal("set the management key", sw);
  } finally {
    data.fill(0);
  }
}

async function prove(
  channel: CardChannel,
  options: { key: Uint8Array; challenge: Uint8Array; algorithm: number },
): Promise<boolean> {
  const { key, algorithm } = options;
  const cipher = CIPHERS.get(algorithm);
  if (cipher === undefined) return false;
  const challenge = options.challenge.slice(0, cipher.block);
  const first = await ask(channel, algorithm, encodeTlv(TLV_TAG.witness, new Uint8Array(0)));
  if (first.sw !== SW.OK) return false; // another algorithm, where the card does not tell its own
  const witness = member(first.data, TLV_TAG.witness, cipher.block);
  const second = await ask(
    channel,
    algorithm,
    concat(
      encodeTlv(TLV_TAG.witness, oneBlock("decrypt", { cipher: cipher.name, key }, witness)),
      encodeTlv(TLV_TAG.challenge, challenge),
    ),
  );
  const isWrongKey = second.sw === SW.SECURITY_STATUS_NOT_SATISFIED ||
    second.sw === SW.INCORRECT_DATA || (second.sw & 0xff00) === 0x6300;
  if (isWrongKey) return false;
  if (second.sw !== SW.OK) throw refusal("prove the management key", second.sw);
  const answer = member(second.data, TLV_TAG.response, cipher.block);
  return timingSafeEqual(oneBlock("encrypt", { cipher: cipher.name, key }, challenge), answer);
}

function ask(channel: CardChannel, algorithm: number, members: Uint8Array) {
  return exchange(
    channel,
    command({
      ins: PIV_INS.generalAuthenticate,
      p1: algorithm,
      p2: KEY_REFERENCE.management,
    }, { data: encodeTlv(TLV_TAG.dynamicAuthentication, members), ne: 256 }),
  );
}

function member(data: Uint8Array, tag: number, length: number): Uint8Array {
  const template = findTlv(data, TLV_TAG.dynamicAuthentication);
  const value = template && findTlv(template, tag);
  if (value?.length !== length) throw garbled("the card's part of the authentication");
  return value;
}

function oneBlock(
  direction: "encrypt" | "decrypt",
  with_: { cipher: string; key: Uint8Array },
  input: Uint8Array,
): Uint8Array {
  const vector = with_.cipher.endsWith("ecb") ? null : new Uint8Array(input.length);
  const make = direction === "encrypt" ? createCipheriv : createDecipheriv;
  const cipher = make(with_.cipher, with_.key, vector);
  cipher.setAutoPadding(false);
  return concat(cipher.update(input), cipher.final());
}
