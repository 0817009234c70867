/**
 * A user of an OpenPGP card, version 3.4. What holders cause is a value (`PinResult`); a refusal
 * without one is a `CardRefusedError`; answers that no card may give are a `CardGarbledError`; a
 * card that is gone or silent throws as its channel does. It never resets or terminates a card.
 */
import { type CardChannel, CardGarbledError, CardRefusedError } from "../apdu/channel.ts";
import { command } from "../apdu/command.ts";
import { exchangeApdu } from "../apdu/exchange.ts";
import type { ResponseApdu } from "../apdu/response.ts";
import { formatStatus, SW, triesLeft } from "../apdu/status.ts";
import { encodeTlv, readTlv } from "../apdu/tlv.ts";
import type { PinChange, PinResult, PinStatus } from "../piv/client_types.ts";
import {
  type ApplicationData,
  parseApplicationData,
  parsePasswordStatus,
  type PasswordStatus,
} from "./application_data.ts";
import { type Cardholder, parseCardholder } from "./cardholder.ts";
import {
  DECIPHER,
  KEY_PAIR,
  LONGEST_ANSWER,
  OPENPGP_AID,
  OPENPGP_DO,
  OPENPGP_INS,
  PASSWORD,
  type Password,
  PASSWORD_BYTES,
  type PrivateObject,
  X25519_ATTRIBUTES,
} from "./constants.ts";
import { derivePin, type KeyDerivation, parseKeyDerivation } from "./key_derivation.ts";

/** X25519: RFC 7748. Some cards write OpenPGP's byte 40 before a point. */
const POINT_BYTES = 32;
const NATIVE_POINT = 0x40;

/** P1 of VERIFY: compare, or forget. */
const VERIFY = { compare: 0x00, forget: 0xff } as const;

/** Selects the card's OpenPGP application; `undefined` when it has none. */
export async function selectOpenPgp(channel: CardChannel): Promise<OpenPgpClient | undefined> {
  const client = new OpenPgpClient(channel);
  return await client.select() ? client : undefined;
}

/** A card whose OpenPGP application is selected. */
export class OpenPgpClient {
  readonly #channel: CardChannel;
  #derivation: KeyDerivation | undefined;

  /** Use {@linkcode selectOpenPgp}. */
  constructor(channel: CardChannel) {
    this.#channel = channel;
  }

  /** Selects the application (again, after a reset or a lease). `false`: the card has none. */
  async select(): Promise<boolean> {
    const { sw } = await this.#exchange(
      command({ ins: OPENPGP_INS.select, p1: 0x04 }, { data: OPENPGP_AID, ne: 256 }),
    );
    // 6285: the application was terminated; nothing in it works.
    return sw === SW.OK;
  }

  /** What the card says of itself. */
  async applicationData(): Promise<ApplicationData> {
    const object = await this.#getData(OPENPGP_DO.applicationRelated);
    const data = object && parseApplicationData(object);
    if (data === undefined) throw garbled("its application data");
    return data;
  }

  /** `openpgp:MMMM:SSSSSSSS`, manufacturer and serial number as GnuPG prints them. */
  async cardId(): Promise<string> {
    const { id } = await this.applicationData();
    return `openpgp:${id.manufacturer}:${id.serial}`;
  }

  /** Whose card it says to be. */
  async cardholder(): Promise<Cardholder> {
    const object = await this.#getData(OPENPGP_DO.cardholderRelated);
    const holder = object && parseCardholder(object);
    if (holder === undefined) throw garbled("its cardholder data");
    return holder;
  }

  /** Tries of all passwords (C4); none is spent by asking. */
  async passwordStatus(): Promise<PasswordStatus> {
    const value = await this.#getData(OPENPGP_DO.passwordStatus);
    // Some cards give the object with its tag.
    const inner = value && value.length !== 7 ? readTlv(value, 0)?.value : value;
    const status = parsePasswordStatus(inner);
    if (status === undefined) throw garbled("its password status");
    return status;
  }

  /** Whether a password is verified, and its tries; none is spent by asking. */
  async pinStatus(password: Password = PASSWORD.user): Promise<PinStatus> {
    const { sw } = await this.#exchange(command({ ins: OPENPGP_INS.verify, p2: password }));
    if (sw === SW.OK) return { state: "verified" };
    const left = (await this.passwordStatus()).triesLeft;
    const tries = password === PASSWORD.administrator ? left.administrator : left.user;
    return tries === 0 ? { state: "blocked" } : { state: "locked", triesLeft: tries };
  }

  /**
   * Has the card compare a password: UTF-8, at least 6 bytes (administrator: 8). Shorter ones are
   * wrong without a try. The caller wipes `pin`.
   */
  async verifyPin(pin: Uint8Array, password: Password = PASSWORD.user): Promise<PinResult> {
    if (!isPassword(pin, password)) return await this.#wrong(password);
    const data = await this.#derived(pin, password);
    try {
      const { sw } = await this.#exchange(
        command({ ins: OPENPGP_INS.verify, p1: VERIFY.compare, p2: password }, { data }),
      );
      return await this.#compared(sw, { password, doing: "verify the PIN" });
    } finally {
      data.fill(0);
    }
  }

  /** Takes back that a password was verified; `false`: the card can't (a reset does it). */
  async forgetPin(password: Password = PASSWORD.user): Promise<boolean> {
    const { sw } = await this.#exchange(
      command({ ins: OPENPGP_INS.verify, p1: VERIFY.forget, p2: password }),
    );
    return sw === SW.OK;
  }

  /** Sets a new user PIN (PW1, for both of its uses) in place of the old. */
  async changePin(pins: { old: Uint8Array; new: Uint8Array }): Promise<PinChange> {
    const password = PASSWORD.signing;
    if (!isPassword(pins.old, password) || !isPassword(pins.new, password)) {
      return { outcome: "malformed" };
    }
    const old = await this.#derived(pins.old, password);
    const fresh = await this.#derived(pins.new, password);
    const data = new Uint8Array(old.length + fresh.length);
    data.set(old);
    data.set(fresh, old.length);
    try {
      const { sw } = await this.#exchange(
        command({ ins: OPENPGP_INS.changeReferenceData, p2: password }, { data }),
      );
      if (sw === SW.INCORRECT_DATA || sw === SW.WRONG_LENGTH) return { outcome: "malformed" };
      return await this.#compared(sw, { password, doing: "change the PIN" });
    } finally {
      for (const bytes of [old, fresh, data]) bytes.fill(0);
    }
  }

  /** The X25519 public key of the decryption key; `undefined`: none there, or another kind. */
  async decryptionKey(): Promise<Uint8Array | undefined> {
    const { data, sw } = await this.#keyPair(KEY_PAIR.read);
    if (sw === SW.REFERENCE_NOT_FOUND || sw === SW.FILE_NOT_FOUND) return undefined;
    if (sw !== SW.OK) throw refusal("read the decryption key", sw);
    return pointOf(data);
  }

  /** Makes an X25519 decryption key on the card, in place of what is there; needs PW3. */
  async generateDecryptionKey(): Promise<Uint8Array> {
    await this.putData(OPENPGP_DO.decryptionAlgorithm, X25519_ATTRIBUTES);
    const { data, sw } = await this.#keyPair(KEY_PAIR.generate);
    if (sw !== SW.OK) throw refusal("make a decryption key", sw);
    const point = pointOf(data);
    if (point === undefined) throw garbled("its new public key");
    return point;
  }

  /**
   * X25519 on the card by PSO: DECIPHER: 32 bytes, to be wiped by the caller. PW1 (82) must be
   * verified. `answerMs`: longer than usual for a key that asks for a touch.
   */
  async agree(request: { peer: Uint8Array; answerMs?: number }): Promise<Uint8Array> {
    const { peer, answerMs } = request;
    if (peer.length !== POINT_BYTES) {
      throw new RangeError(`Cannot agree on a key with a point of ${peer.length} bytes`);
    }
    const { template, publicKey, point, p1, p2 } = DECIPHER;
    const data = encodeTlv(template, encodeTlv(publicKey, encodeTlv(point, peer)));
    const ins = OPENPGP_INS.performSecurityOperation;
    const answer = await this.#exchange(command({ ins, p1, p2 }, { data, ne: 256 }), answerMs);
    if (answer.sw !== SW.OK) throw refusal("agree on a key", answer.sw);
    const shared = answer.data;
    if (shared.length !== POINT_BYTES || shared.every((byte) => byte === 0)) {
      shared.fill(0);
      throw garbled("its shared secret");
    }
    return shared;
  }

  /** Whether the decryption key works only once its holder touches the card (UIF, 4.4.3.12). */
  async wantsTouch(): Promise<boolean> {
    const { data, sw } = await this.#exchange(
      command(
        { ins: OPENPGP_INS.getData, p2: OPENPGP_DO.decryptionTouch },
        { ne: 256 },
      ),
    );
    // Cards without a button have no such object.
    return sw === SW.OK && (data[0] ?? 0) !== 0;
  }

  /** A private object's content; `undefined` when it is empty or the card has none. */
  async privateObject(tag: PrivateObject): Promise<Uint8Array | undefined> {
    return await this.#getData(tag);
  }

  /** Writes an object; see {@linkcode PRIVATE_OBJECT} for whose password it takes. */
  async putData(tag: number, value: Uint8Array): Promise<void> {
    const { sw } = await this.#exchange(
      command({ ins: OPENPGP_INS.putData, p1: tag >> 8, p2: tag & 0xff }, { data: value }),
    );
    if (sw !== SW.OK) throw refusal(`write the object ${tag.toString(16).padStart(4, "0")}`, sw);
  }

  async #getData(tag: number): Promise<Uint8Array | undefined> {
    const { data, sw } = await this.#exchange(
      command({ ins: OPENPGP_INS.getData, p1: tag >> 8, p2: tag & 0xff }, { ne: 256 }),
    );
    if (sw === SW.REFERENCE_NOT_FOUND || sw === SW.FILE_NOT_FOUND) return undefined;
    if (sw !== SW.OK) throw refusal(`read the object ${tag.toString(16).padStart(4, "0")}`, sw);
    return data.length === 0 ? undefined : data;
  }

  #keyPair(p1: number): Promise<ResponseApdu> {
    const data = encodeTlv(KEY_PAIR.decryption, new Uint8Array(0));
    return this.#exchange(
      command({ ins: OPENPGP_INS.generateAsymmetric, p1 }, { data, ne: 256 }),
    );
  }

  /** The card is asked once how it wants its PINs. */
  async #derived(pin: Uint8Array, password: Password): Promise<Uint8Array> {
    if (this.#derivation === undefined) {
      const { capabilities } = await this.applicationData();
      const object = capabilities.keyDerivation
        ? await this.#getData(OPENPGP_DO.keyDerivation)
        : undefined;
      // The content, or the object with its tag: cards differ.
      const outer = object && readTlv(object, 0);
      const content = outer?.tag === OPENPGP_DO.keyDerivation ? outer.value : object;
      this.#derivation = content === undefined ? { kind: "none" } : parseKeyDerivation(content);
      if (this.#derivation === undefined) throw garbled("how it wants its PINs");
    }
    return derivePin(this.#derivation, { password, pin });
  }

  async #compared(
    sw: number,
    { password, doing }: { password: Password; doing: string },
  ): Promise<PinResult> {
    if (sw === SW.OK) return { outcome: "ok" };
    const left = triesLeft(sw);
    if (left === 0 || sw === SW.AUTH_METHOD_BLOCKED) return { outcome: "blocked" };
    if (left !== undefined) return { outcome: "wrong", triesLeft: left };
    // Section 7.2.2: a wrong password may also be 6982; then C4 tells the tries.
    if (sw !== SW.SECURITY_STATUS_NOT_SATISFIED) throw refusal(doing, sw);
    return await this.#counted(password);
  }

  async #wrong(password: Password): Promise<PinResult> {
    await this.forgetPin(password);
    return await this.#counted(password);
  }

  async #counted(password: Password): Promise<PinResult> {
    const { user, administrator } = (await this.passwordStatus()).triesLeft;
    const left = password === PASSWORD.administrator ? administrator : user;
    return left === 0 ? { outcome: "blocked" } : { outcome: "wrong", triesLeft: left };
  }

  #exchange(apdu: Parameters<typeof exchangeApdu>[1], answerMs?: number): Promise<ResponseApdu> {
    return exchangeApdu(this.#channel, apdu, {
      longest: LONGEST_ANSWER,
      ...(answerMs === undefined ? {} : { answerMs }),
    });
  }
}

function isPassword(pin: Uint8Array, password: Password): boolean {
  const least = password === PASSWORD.administrator
    ? PASSWORD_BYTES.administrator
    : PASSWORD_BYTES.user;
  return pin.length >= least && pin.length <= PASSWORD_BYTES.most;
}

/** The point in an answer about a key pair; `undefined` when it is no X25519 point. */
function pointOf(answer: Uint8Array): Uint8Array | undefined {
  const template = readTlv(answer, 0);
  const point = template?.tag === DECIPHER.publicKey ? readTlv(template.value, 0) : undefined;
  if (point?.tag !== DECIPHER.point) return undefined;
  const isPrefixed = point.value.length === POINT_BYTES + 1 && point.value[0] === NATIVE_POINT;
  const bytes = isPrefixed ? point.value.slice(1) : point.value;
  return bytes.length === POINT_BYTES ? bytes : undefined;
}

function refusal(doing: string, sw: number): CardRefusedError {
  return new CardRefusedError(`Cannot ${doing}: ${explain(sw)}`, sw);
}

function garbled(what: string): CardGarbledError {
  return new CardGarbledError(`Cannot use the card: ${what} is malformed; try another card`);
}

function explain(sw: number): string {
  switch (sw) {
    case SW.SECURITY_STATUS_NOT_SATISFIED:
      return "the card asks for its PIN first; enter it";
    case SW.REFERENCE_NOT_FOUND:
    case SW.CONDITIONS_NOT_SATISFIED:
      return "the card has no such key; generate it first";
    case SW.WRONG_LENGTH:
    case SW.NOT_ENOUGH_MEMORY:
      return "the card has not so much room; keep less on it";
    case SW.INS_NOT_SUPPORTED:
    case SW.FUNCTION_NOT_SUPPORTED:
      return "this card can't do that; use one that can";
    default:
      return `the card answered ${formatStatus(sw)}; insert it again and retry`;
  }
}
