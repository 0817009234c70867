/** Options and randomness in, a whole new card out. @core */
import { KEY_REFERENCE, OBJECT_TAG } from "../piv/constants.ts";
import { type Attester, makeAttester } from "./attestation.ts";
import type { CardCrypto, KdfCost } from "./crypto.ts";
import { DEFAULT_TRIES } from "./limits.ts";
import { factoryOpenPgp } from "./openpgp/factory.ts";
import { cardCapabilityContainer, cardHolderUniqueId } from "./piv/identity.ts";
import { pinBlock } from "./piv/pin_format.ts";
import type { Reference } from "./reference.ts";
import type { CardState, PivState, StoredObject } from "./state.ts";
import { KDF_COST, vaultOf, wrapMasterKey } from "./vault.ts";

/** What cards leave the factory with; stock tools know these. */
export const DEFAULT_PIN = "123456";
/** The factory's PUK. */
export const DEFAULT_PUK = "12345678";

/** The factory's management key: 24 bytes, for 3DES and for AES-192. */
export const DEFAULT_MANAGEMENT_KEY: Uint8Array = Uint8Array.from(
  { length: 24 },
  (_, index) => (index % 8) + 1,
);

/** What a new card is made from. */
export interface FactoryOptions {
  readonly crypto: CardCrypto;
  /** 6 to 8 ASCII characters. Default: {@linkcode DEFAULT_PIN}. */
  readonly pin?: string;
  /** 6 to 8 ASCII characters. Default: {@linkcode DEFAULT_PUK}. */
  readonly puk?: string;
  /** A global PIN as well; without it the card has none. */
  readonly globalPin?: string;
  /** Default 3DES: what tools older than firmware 5.7 take for granted. */
  readonly management?: "3DES" | "AES-192";
  readonly cost?: KdfCost;
  /** An attester to keep (a factory reset doesn't touch it); a new one when absent. */
  readonly attester?: Attester;
}

/** A new card. `serial`: 32 bits, unsigned; drawn at random when absent. */
export function factoryCard(options: FactoryOptions & { readonly serial?: number }): CardState {
  const drawn = new DataView(options.crypto.randomBytes(4).slice().buffer).getUint32(0);
  // Eight decimal digits, as printed on a key.
  const serial = options.serial ?? 10_000_000 + drawn % 90_000_000;
  const { crypto, cost = KDF_COST } = options;
  return { serial, piv: factoryPiv(options), openPgp: factoryOpenPgp({ crypto, cost }) };
}

/** Gives a card that was made before there were other applications than PIV what it lacks. */
export function completeCard(state: CardState, crypto: CardCrypto): CardState {
  if (state.openPgp !== undefined) return state;
  return { ...state, openPgp: factoryOpenPgp({ crypto, cost: state.piv.pin.cost }) };
}

/**
 * An empty PIV application with a new master key and a new identity.
 * @throws {RangeError} when a PIN or PUK isn't 6 to 8 ASCII characters.
 */
export function factoryPiv(options: FactoryOptions): PivState {
  const { crypto, pin = DEFAULT_PIN, puk = DEFAULT_PUK } = options;
  const masterKey = crypto.randomBytes(32);
  const wrap = (text: string, standard: string): Reference => {
    const secret = pinBlock(text);
    if (secret === undefined) {
      throw new RangeError("Cannot make a card: a PIN or PUK has 6 to 8 ASCII characters");
    }
    const isDefault = text === standard;
    const cost = options.cost ?? KDF_COST;
    return wrapMasterKey(masterKey, { crypto, secret, tries: DEFAULT_TRIES, isDefault, cost });
  };
  const attester = options.attester ?? makeAttester(crypto);
  const plain = (bytes: Uint8Array): StoredObject => ({ sealed: false, bytes });
  const state: PivState = {
    objects: new Map([
      [OBJECT_TAG.cardHolderUniqueId, plain(cardHolderUniqueId(crypto.randomBytes(16)))],
      [OBJECT_TAG.cardCapabilityContainer, plain(cardCapabilityContainer(crypto.randomBytes(14)))],
      [OBJECT_TAG.yubicoAttestationCertificate, plain(attester.object)],
    ]),
    keys: new Map([[KEY_REFERENCE.attestation, attester.key]]),
    pin: wrap(pin, DEFAULT_PIN),
    puk: wrap(puk, DEFAULT_PUK),
    ...(options.globalPin === undefined ? {} : { global: wrap(options.globalPin, "") }),
    management: {
      algorithm: options.management ?? "3DES",
      isDefault: true,
      bytes: DEFAULT_MANAGEMENT_KEY,
    },
    vault: vaultOf(masterKey),
  };
  masterKey.fill(0);
  return state;
}
