/**
 * A PIN's way from the page to the engine: HPKE base mode (RFC 9180) with DHKEM(X25519,
 * HKDF-SHA256), HKDF-SHA256 and ChaCha20-Poly1305. Runs in browsers and in the engine alike, and
 * needs no `crypto.subtle`, which is missing outside secure contexts.
 */
import {
  AEAD_ChaCha20Poly1305,
  KDF_HKDF_SHA256,
  KEM_DHKEM_X25519_HKDF_SHA256,
} from "@panva/hpke-noble";
import { CipherSuite, type Key } from "hpke";
import {
  MAX_PIN_BYTES,
  PADDED_BYTES,
  SEALED_BYTES,
  SEALED_WITH_ID_BYTES,
} from "./sealed_lengths.ts";
import { USER_ID_DIGEST_BYTES, userIdDigest } from "./user_id.ts";

/** ISO/IEC 7816-4: this byte, then zeros. */
const PADDING = 0x80;

const INFO = new TextEncoder().encode("sekisho pin 2");
/** Of what is sealed with a user id: neither passes for the other. */
const INFO_WITH_ID = new TextEncoder().encode("sekisho user id and pin 2");

const suite = new CipherSuite(
  KEM_DHKEM_X25519_HKDF_SHA256,
  KDF_HKDF_SHA256,
  AEAD_ChaCha20Poly1305,
);

/** What crosses. */
export interface Sealed {
  readonly enc: Uint8Array;
  readonly ciphertext: Uint8Array;
}

/** The engine's half: the public key goes to pages, `open` answers what they sealed. */
export interface PinOpener {
  /** 32 bytes, X25519. */
  readonly publicKey: Uint8Array;
  /** The PIN's bytes, to be wiped by the caller; `undefined` when it was not sealed to this key. */
  open(sealed: Bound): Promise<Uint8Array | undefined>;
  /** The same where a user id was sealed with the PIN. */
  openWithId(sealed: Bound): Promise<IdAndPin | undefined>;
}

/** `bound`: what it was sealed together with. */
type Bound = Sealed & { readonly bound?: string };

/** Both to be wiped by the caller. */
export interface IdAndPin {
  /** As {@linkcode userIdDigest} makes it. */
  readonly userId: Uint8Array;
  readonly pin: Uint8Array;
}

/**
 * Seals a PIN to one engine.
 * @param to The engine's public key (32 bytes) and name; the name is bound as associated data, and
 *   `bound` behind it: what goes with the PIN, and can't be changed under way.
 * @throws {RangeError} when the PIN is empty or longer than {@link MAX_PIN_BYTES}.
 */
export async function sealPin(
  pin: Uint8Array,
  to: {
    publicKey: Uint8Array;
    engine: string;
    /** Goes along where the engine asks for it. */
    userId?: string | undefined;
    bound?: string;
  },
): Promise<Sealed> {
  if (pin.length === 0 || pin.length > MAX_PIN_BYTES) {
    throw new RangeError(`Cannot seal a PIN of ${pin.length} bytes`);
  }
  const key = await suite.DeserializePublicKey(to.publicKey);
  const id = to.userId === undefined ? new Uint8Array(0) : userIdDigest(to.userId);
  const plaintext = new Uint8Array(id.length + PADDED_BYTES);
  plaintext.set(id);
  plaintext.set(pin, id.length);
  plaintext[id.length + pin.length] = PADDING;
  const { encapsulatedSecret, ciphertext } = await suite.Seal(key, plaintext, {
    info: to.userId === undefined ? INFO : INFO_WITH_ID,
    aad: associated(to.engine, to.bound),
  });
  plaintext.fill(0);
  return { enc: encapsulatedSecret, ciphertext };
}

/** Makes an engine's ephemeral key pair; it lives as long as the engine. */
export async function makePinOpener(engine: string): Promise<PinOpener> {
  const pair: { publicKey: Key; privateKey: Key } = await suite.GenerateKeyPair();
  const publicKey = await suite.SerializePublicKey(pair.publicKey);
  const open = async (sealed: Bound, info: Uint8Array, length: number) => {
    const { enc, ciphertext, bound } = sealed;
    if (enc.length !== 32 || ciphertext.length !== length) return undefined;
    try {
      const aad = associated(engine, bound);
      return await suite.Open(pair.privateKey, enc, ciphertext, { info, aad });
    } catch {
      return undefined; // whatever was wrong with it, it was not sealed to this engine
    }
  };
  return {
    publicKey,
    async open(sealed) {
      const padded = await open(sealed, INFO, SEALED_BYTES);
      return padded && withoutPadding(padded);
    },
    async openWithId(sealed) {
      const both = await open(sealed, INFO_WITH_ID, SEALED_WITH_ID_BYTES);
      const pin = both && withoutPadding(both.subarray(USER_ID_DIGEST_BYTES));
      return pin && { userId: both.subarray(0, USER_ID_DIGEST_BYTES), pin };
    },
  };
}

/** A view; wiping it leaves nothing but padding. `undefined` when no PIN was padded so. */
function withoutPadding(padded: Uint8Array): Uint8Array | undefined {
  const length = padded.lastIndexOf(PADDING);
  const pads = length > 0 && padded.subarray(length + 1).every((byte) => byte === 0);
  if (pads) return padded.subarray(0, length);
  padded.fill(0);
  return undefined;
}

function associated(engine: string, bound: string | undefined): Uint8Array {
  return new TextEncoder().encode(bound === undefined ? engine : `${engine} ${bound}`);
}
