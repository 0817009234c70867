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
import { USER_ID_DIGEST_BYTES, userIdDigest } from "./user_id.ts";

/** Longest PIN in bytes that is accepted anywhere (PIV: 8; OpenPGP and passwords: longer). */
export const MAX_PIN_BYTES = 64;

/** Longest ciphertext: a PIN with a user id's digest before it, and the tag. */
export const MAX_SEALED_BYTES = USER_ID_DIGEST_BYTES + MAX_PIN_BYTES + 16;

const INFO = new TextEncoder().encode("sekisho pin 1");
/** Of what is sealed with a user id: neither passes for the other. */
const INFO_WITH_ID = new TextEncoder().encode("sekisho user id and pin 1");

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
  const plaintext = new Uint8Array(id.length + pin.length);
  plaintext.set(id);
  plaintext.set(pin, id.length);
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
  const open = async (sealed: Bound, info: Uint8Array, longest: number) => {
    const { enc, ciphertext, bound } = sealed;
    if (enc.length !== 32 || ciphertext.length > longest + 16) return undefined;
    try {
      const aad = associated(engine, bound);
      return await suite.Open(pair.privateKey, enc, ciphertext, { info, aad });
    } catch {
      return undefined; // whatever was wrong with it, it was not sealed to this engine
    }
  };
  return {
    publicKey,
    open: (sealed) => open(sealed, INFO, MAX_PIN_BYTES),
    async openWithId(sealed) {
      const both = await open(sealed, INFO_WITH_ID, USER_ID_DIGEST_BYTES + MAX_PIN_BYTES);
      if (both === undefined || both.length <= USER_ID_DIGEST_BYTES) return undefined;
      return {
        userId: both.subarray(0, USER_ID_DIGEST_BYTES),
        pin: both.subarray(USER_ID_DIGEST_BYTES),
      };
    },
  };
}

function associated(engine: string, bound: string | undefined): Uint8Array {
  return new TextEncoder().encode(bound === undefined ? engine : `${engine} ${bound}`);
}
