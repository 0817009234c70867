/**
 * A PIV card's owner and user (SP 800-73-4). What holders cause is a value (`PinResult`, …); a
 * refusal that the caller has no value for is a `PivRefusedError`; answers that no card may give
 * are a `CardGarbledError`; a card that is gone or silent throws as its channel does.
 */
import type { CardChannel } from "../apdu/channel.ts";
import { command } from "../apdu/command.ts";
import { SW } from "../apdu/status.ts";
import { findTlv } from "../apdu/tlv.ts";
import { exchange } from "./client_exchange.ts";
import { garbled } from "./client_errors.ts";
import { agree, generateKey, importKey, metadata, sign } from "./client_keys.ts";
import { authenticateManagement } from "./client_management.ts";
import { cardGuid, getObject, putObject } from "./client_objects.ts";
import { changePin, pinStatus, unblockPin, verifyPin } from "./client_pins.ts";
import type {
  KeyMetadata,
  NewKeyOptions,
  PinChange,
  PinResult,
  PinStatus,
} from "./client_types.ts";
import {
  PIV_AID_WITHOUT_VERSION,
  PIV_INS,
  type PivAlgorithm,
  TLV_TAG,
  YUBICO_INS,
} from "./constants.ts";

/** Selects the card's PIV application; `undefined` when it has none. */
export async function selectPiv(channel: CardChannel): Promise<PivClient | undefined> {
  const client = new PivClient(channel);
  return await client.select() ? client : undefined;
}

/** A card whose PIV application is selected. */
export class PivClient {
  readonly #channel: CardChannel;

  /** Use {@linkcode selectPiv}. */
  constructor(channel: CardChannel) {
    this.#channel = channel;
  }

  /** Selects the application (again, after a reset or a lease). `false`: the card has none. */
  async select(): Promise<boolean> {
    const { data, sw } = await exchange(
      this.#channel,
      command({ ins: PIV_INS.select, p1: 0x04 }, { data: PIV_AID_WITHOUT_VERSION, ne: 256 }),
    );
    if (sw !== SW.OK) return false;
    if (findTlv(data, TLV_TAG.applicationTemplate) === undefined) {
      throw garbled("the answer to SELECT");
    }
    return true;
  }

  /** The GUID of the CHUID in hexadecimal, else `serial:N`, else `undefined`. */
  async cardId(): Promise<string | undefined> {
    const guid = await cardGuid(this.#channel);
    if (guid !== undefined) return guid;
    const serial = await this.serial();
    return serial === undefined ? undefined : `serial:${serial}`;
  }

  /** Asks about the PIN; no try is spent. */
  pinStatus(): Promise<PinStatus> {
    return pinStatus(this.#channel);
  }

  /** Verifies a PIN of 6 to 8 bytes; others are wrong without a try. The caller wipes `pin`. */
  verifyPin(pin: Uint8Array): Promise<PinResult> {
    return verifyPin(this.#channel, pin);
  }

  changePin(pins: { old: Uint8Array; new: Uint8Array }): Promise<PinChange> {
    return changePin(this.#channel, pins);
  }

  unblockPin(pins: { puk: Uint8Array; new: Uint8Array }): Promise<PinChange> {
    return unblockPin(this.#channel, pins);
  }

  /** Proves the management key. `challenge`: 16 random bytes. `false`: it is another key. */
  authenticateManagement(options: { key: Uint8Array; challenge: Uint8Array }): Promise<boolean> {
    return authenticateManagement(this.#channel, options);
  }

  /** The object's content, `undefined` when absent or empty. */
  getObject(tag: number): Promise<Uint8Array | undefined> {
    return getObject(this.#channel, tag);
  }

  /** Writes (or, with no bytes, empties) an object; needs the management key. */
  putObject(tag: number, value: Uint8Array): Promise<void> {
    return putObject(this.#channel, { tag, value });
  }

  /** Makes a key on the card and gives its public half: P-256 04 X Y, X25519 32 bytes. */
  generateKey(slot: number, options: NewKeyOptions): Promise<Uint8Array> {
    return generateKey(this.#channel, slot, options);
  }

  importKey(slot: number, options: NewKeyOptions & { secret: Uint8Array }): Promise<void> {
    return importKey(this.#channel, slot, options);
  }

  sign(
    slot: number,
    request: { algorithm: PivAlgorithm; input: Uint8Array },
  ): Promise<Uint8Array> {
    return sign(this.#channel, slot, request);
  }

  /** Diffie-Hellman on the card: 32 bytes, to be wiped by the caller. Peer: 04 X Y, or 32 bytes. */
  agree(slot: number, request: { algorithm: PivAlgorithm; peer: Uint8Array }): Promise<Uint8Array> {
    return agree(this.#channel, slot, request);
  }

  /** A key's facts; `undefined` for an empty slot and on cards that tell none. */
  metadata(slot: number): Promise<KeyMetadata | undefined> {
    return metadata(this.#channel, slot);
  }

  /** The serial number (32 bits, unsigned) where the card has Yubico's command. */
  async serial(): Promise<number | undefined> {
    const { data, sw } = await exchange(
      this.#channel,
      command({ ins: YUBICO_INS.getSerial }, { ne: 256 }),
    );
    if (sw !== SW.OK || data.length !== 4) return undefined;
    return new DataView(data.buffer, data.byteOffset).getUint32(0);
  }

  /** The firmware version as "5.7.1" where the card has Yubico's command. */
  async version(): Promise<string | undefined> {
    const { data, sw } = await exchange(
      this.#channel,
      command({ ins: YUBICO_INS.getVersion }, { ne: 256 }),
    );
    return sw === SW.OK && data.length === 3 ? data.join(".") : undefined;
  }
}
