/**
 * A PIV card's owner and user (SP 800-73-4). What holders cause is a value (`PinResult`, …); a
 * refusal that the caller has no value for is a `PivRefusedError`; answers that no card may give
 * are a `CardGarbledError`; a card that is gone or silent throws as its channel does.
 */
import type { CardChannel } from "../apdu/channel.ts";
import { command } from "../apdu/command.ts";
import { SW } from "../apdu/status.ts";
import { exchange } from "./client_exchange.ts";
import { garbled } from "./client_errors.ts";
import { agree, attest, generateKey, importKey, metadata, pinFacts, sign } from "./client_keys.ts";
import { authenticateManagement, setManagementKey } from "./client_management.ts";
import { cardGuid, discoveryObject, getObject, putObject } from "./client_objects.ts";
import { changePin, forgetPin, pinStatus, unblockPin, verifyPin } from "./client_pins.ts";
import type {
  HolderPin,
  ImportedKeyOptions,
  KeyMetadata,
  NewKeyOptions,
  PinChange,
  PinFacts,
  PinResult,
  PinStatus,
} from "./client_types.ts";
import {
  certificateTagOf,
  OBJECT_TAG,
  PIN_REFERENCE,
  type PinReference,
  PIV_AID_WITHOUT_VERSION,
  PIV_INS,
  type PivAlgorithm,
  YUBICO_INS,
} from "./constants.ts";
import {
  type ApplicationTemplate,
  parseApplicationTemplate,
} from "./objects/application_template.ts";
import {
  type CapabilityContainer,
  parseCapabilityContainer,
} from "./objects/capability_container.ts";
import { type CardHolderId, parseCardHolderId } from "./objects/card_holder_id.ts";
import type { CertificateRead } from "./objects/certificate.ts";
import { type Discovery, parseDiscovery } from "./objects/discovery.ts";
import { type KeyHistory, parseKeyHistory } from "./objects/key_history.ts";

/** Selects the card's PIV application; `undefined` when it has none. */
export async function selectPiv(channel: CardChannel): Promise<PivClient | undefined> {
  const client = new PivClient(channel);
  return await client.select() ? client : undefined;
}

/** A card whose PIV application is selected. */
export class PivClient {
  readonly #channel: CardChannel;
  #template: ApplicationTemplate | undefined;
  /** The PIN that the card names, once it was asked. */
  #holderPin: HolderPin | undefined;

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
    this.#template = parseApplicationTemplate(data);
    if (this.#template === undefined) throw garbled("the answer to SELECT");
    return true;
  }

  /** What the card said of its application when it was selected. */
  get template(): ApplicationTemplate | undefined {
    return this.#template;
  }

  /** The GUID of the CHUID in hexadecimal, else `serial:N`, else `undefined`. */
  async cardId(): Promise<string | undefined> {
    const guid = await cardGuid(this.#channel);
    if (guid !== undefined) return guid;
    const serial = await this.serial();
    return serial === undefined ? undefined : `serial:${serial}`;
  }

  /** Which PINs open the card; `undefined` when it doesn't say (then: the application's own). */
  async discovery(): Promise<Discovery | undefined> {
    const object = await discoveryObject(this.#channel);
    return object && wellFormed(parseDiscovery(object), "its discovery object");
  }

  /** The cardholder's unique identifier; `undefined` when the card has none. */
  async cardHolderId(): Promise<CardHolderId | undefined> {
    const content = await this.getObject(OBJECT_TAG.cardHolderUniqueId);
    return content && wellFormed(parseCardHolderId(content), "its CHUID");
  }

  /** The card capability container; `undefined` when the card has none. */
  async capabilityContainer(): Promise<CapabilityContainer | undefined> {
    const content = await this.getObject(OBJECT_TAG.cardCapabilityContainer);
    return content && wellFormed(parseCapabilityContainer(content), "its capability container");
  }

  /** How many retired keys the card tells of; `undefined` when it tells nothing. */
  async keyHistory(): Promise<KeyHistory | undefined> {
    const content = await this.getObject(OBJECT_TAG.keyHistory);
    return content && wellFormed(parseKeyHistory(content), "its key history");
  }

  /** The certificate of a key's slot; `undefined` when there is none. See `proveKey` before trust. */
  async certificate(slot: number): Promise<CertificateRead | undefined> {
    const tag = certificateTagOf(slot);
    const content = tag === undefined ? undefined : await this.getObject(tag);
    if (content === undefined) return undefined;
    // Loaded at first use: who only unlocks a card has no need of decompression.
    const { parseCertificate } = await import("./objects/certificate.ts");
    return parseCertificate(content);
  }

  /**
   * The PIN that the holder has by the card's own word, the application's where it has none. The
   * card is asked once.
   */
  async holderPin(): Promise<HolderPin> {
    if (this.#holderPin === undefined) {
      const object = await discoveryObject(this.#channel);
      this.#holderPin = (object && parseDiscovery(object))?.primary ?? PIN_REFERENCE.pin;
    }
    return this.#holderPin;
  }

  /** Asks about a PIN, the holder's unless told; no try is spent. */
  async pinStatus(reference?: HolderPin): Promise<PinStatus> {
    return await pinStatus(this.#channel, reference ?? await this.holderPin());
  }

  /** Verifies a PIN of 6 to 8 bytes; others are wrong without a try. The caller wipes `pin`. */
  async verifyPin(pin: Uint8Array, reference?: HolderPin): Promise<PinResult> {
    return await verifyPin(this.#channel, {
      reference: reference ?? await this.holderPin(),
      pin,
    });
  }

  /** Takes back that a PIN was verified; `false`: the card can't (a reset does it). */
  async forgetPin(reference?: HolderPin): Promise<boolean> {
    return await forgetPin(this.#channel, reference ?? await this.holderPin());
  }

  async changePin(
    pins: { old: Uint8Array; new: Uint8Array; reference?: HolderPin },
  ): Promise<PinChange> {
    const reference = pins.reference ?? await this.holderPin();
    return await changePin(this.#channel, { ...pins, reference });
  }

  changePuk(puks: { old: Uint8Array; new: Uint8Array }): Promise<PinChange> {
    return changePin(this.#channel, { ...puks, reference: PIN_REFERENCE.puk });
  }

  /** Sets a new application PIN by the PUK; a global PIN is not the PUK's to unblock. */
  unblockPin(pins: { puk: Uint8Array; new: Uint8Array }): Promise<PinChange> {
    return unblockPin(this.#channel, pins);
  }

  /** Whether a PIN or PUK is still the factory's, and its tries; `undefined`: the card won't say. */
  pinFacts(reference: PinReference): Promise<PinFacts | undefined> {
    return pinFacts(this.#channel, reference);
  }

  /** Proves the management key. `challenge`: 16 random bytes. `false`: it is another key. */
  authenticateManagement(options: { key: Uint8Array; challenge: Uint8Array }): Promise<boolean> {
    return authenticateManagement(this.#channel, options);
  }

  /** Sets another management key; the one in force must be proven. The caller wipes `key`. */
  setManagementKey(
    options: { algorithm: PivAlgorithm; key: Uint8Array; touch?: boolean },
  ): Promise<void> {
    return setManagementKey(this.#channel, options);
  }

  /** The object's content, `undefined` when absent or empty. */
  getObject(tag: number): Promise<Uint8Array | undefined> {
    return getObject(this.#channel, tag);
  }

  /** Writes (or, with no bytes, empties) an object; needs the management key. */
  putObject(tag: number, value: Uint8Array): Promise<void> {
    return putObject(this.#channel, { tag, value });
  }

  /**
   * Makes a key on the card and gives its public half: P-256 04 X Y, X25519 and Ed25519 32 bytes,
   * RSA the members of template 7F49.
   */
  generateKey(slot: number, options: NewKeyOptions): Promise<Uint8Array> {
    return generateKey(this.#channel, slot, options);
  }

  importKey(slot: number, options: ImportedKeyOptions): Promise<void> {
    return importKey(this.#channel, slot, options);
  }

  /** The private operation alone; {@linkcode signMessage} hashes and pads. */
  sign(
    slot: number,
    request: { algorithm: PivAlgorithm; input: Uint8Array; answerMs?: number },
  ): Promise<Uint8Array> {
    return sign(this.#channel, slot, request);
  }

  /**
   * Diffie-Hellman on the card: 32 bytes, to be wiped by the caller. Peer: 04 X Y, or 32 bytes.
   * `answerMs`: see `ANSWER_MS.touch`, for a key that asks for a touch.
   */
  agree(
    slot: number,
    request: { algorithm: PivAlgorithm; peer: Uint8Array; answerMs?: number },
  ): Promise<Uint8Array> {
    return agree(this.#channel, slot, request);
  }

  /** A key's facts; `undefined` for an empty slot and on cards that tell none. */
  metadata(slot: number): Promise<KeyMetadata | undefined> {
    return metadata(this.#channel, slot);
  }

  /** The card's own certificate about a key that it made, in DER; see `readAttestation`. */
  attest(slot: number): Promise<Uint8Array | undefined> {
    return attest(this.#channel, slot);
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

function wellFormed<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw garbled(what);
  return value;
}
