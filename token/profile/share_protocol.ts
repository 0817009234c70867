/**
 * How a card gets the hub's half of its file key. One exchange for each connection:
 *
 *     hub    -> card   "SKS1", challenge (32)
 *     card   -> hub    HPKE to the hub's key: version, share id, answer key, secret, signature
 *     hub    -> card   HPKE to the answer key, with the secret as preshared key: verdict, share
 *
 * HPKE is RFC 9180 with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305. The signature
 * (ECDSA over P-256, by the card) covers challenge, hub, share id, answer key and secret: it is of
 * use to nobody but this hub, now, for this answer. The hub's key is in the signed head, so no
 * authority is asked; the answer key is new each time, so a key of the hub that becomes known later
 * opens no answer of before. Every message has one length.
 */
import {
  AEAD_ChaCha20Poly1305,
  KDF_HKDF_SHA256,
  KEM_DHKEM_X25519_HKDF_SHA256,
} from "@panva/hpke-noble";
import { p256 } from "@noble/curves/nist.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { CipherSuite, type Key } from "hpke";
import { concat } from "../apdu/tlv.ts";
import { SHARE_BYTES, SHARE_ID_BYTES } from "./split.ts";

/** What the hub says first. */
export const GREETING = new TextEncoder().encode("SKS1");

/** Bytes of a challenge. */
export const CHALLENGE_BYTES = 32;

const [VERSION, KEY_BYTES, TAG_BYTES, LONGEST_SIGNATURE] = [1, 32, 16, 72];
const REQUEST_PLAIN = 1 + SHARE_ID_BYTES + KEY_BYTES + KEY_BYTES + 1 + LONGEST_SIGNATURE;
const ANSWER_PLAIN = 1 + SHARE_BYTES;

/** Bytes of a request. */
export const REQUEST_BYTES = KEY_BYTES + REQUEST_PLAIN + TAG_BYTES;

/** Bytes of an answer. */
export const ANSWER_BYTES = KEY_BYTES + ANSWER_PLAIN + TAG_BYTES;

const text = (value: string) => new TextEncoder().encode(value);
const REQUEST_INFO = text("sekisho share request 1");
const ANSWER_INFO = text("sekisho share answer 1");
const PROOF_LABEL = text("sekisho share proof 1");

const suite = new CipherSuite(
  KEM_DHKEM_X25519_HKDF_SHA256,
  KDF_HKDF_SHA256,
  AEAD_ChaCha20Poly1305,
);

/** Why a hub gives no share. */
export const SHARE_REFUSALS = ["unknown", "not-proven", "revoked", "expired", "replaced"] as const;
export type ShareRefusal = typeof SHARE_REFUSALS[number];

/** A hub's answer. */
export type ShareAnswer =
  | { readonly granted: true; readonly share: Uint8Array }
  | { readonly granted: false; readonly why: ShareRefusal };

/** A request as its maker keeps it. */
export interface ShareRequest {
  readonly bytes: Uint8Array;
  /** `undefined` when the answer is not from that hub, or not to this request. */
  open(answer: Uint8Array): Promise<ShareAnswer | undefined>;
}

/**
 * Makes a request.
 * @param options.sign Signs 32 bytes with the card's key (ECDSA, DER).
 * @param options.secret 32 random bytes, used once; wiped after the answer.
 */
export async function makeShareRequest(options: {
  challenge: Uint8Array;
  id: Uint8Array;
  hubKey: Uint8Array;
  secret: Uint8Array;
  sign: (digest: Uint8Array) => Promise<Uint8Array>;
}): Promise<ShareRequest> {
  const { challenge, id, hubKey, secret, sign } = options;
  const pair: { publicKey: Key; privateKey: Key } = await suite.GenerateKeyPair();
  const answerKey = await suite.SerializePublicKey(pair.publicKey);
  const signature = await sign(proofDigest({ challenge, id, hubKey, answerKey, secret }));
  if (signature.length > LONGEST_SIGNATURE) {
    throw new RangeError("A signature has 72 bytes at most");
  }
  const plain = new Uint8Array(REQUEST_PLAIN);
  plain.set(concat(Uint8Array.of(VERSION), id, answerKey, secret));
  plain[REQUEST_PLAIN - LONGEST_SIGNATURE - 1] = signature.length;
  plain.set(signature, REQUEST_PLAIN - LONGEST_SIGNATURE);
  const { encapsulatedSecret, ciphertext } = await suite.Seal(
    await suite.DeserializePublicKey(hubKey),
    plain,
    { info: REQUEST_INFO, aad: challenge },
  );
  plain.fill(0);
  return {
    bytes: concat(encapsulatedSecret, ciphertext),
    async open(answer) {
      if (answer.length !== ANSWER_BYTES) return undefined;
      try {
        const opened = await suite.Open(
          pair.privateKey,
          answer.slice(0, KEY_BYTES),
          answer.slice(KEY_BYTES),
          { info: ANSWER_INFO, aad: concat(challenge, id), psk: secret, pskId: id },
        );
        const read = readAnswer(opened);
        opened.fill(0);
        return read;
      } catch {
        return undefined; // whatever was wrong with it, it is not that hub's answer
      } finally {
        secret.fill(0);
      }
    },
  };
}

/** The hub's key, ready for use. */
export interface HubShareKey {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly privateKey: Key;
}

/** Takes the hub's private key (32 bytes, X25519). */
export async function hubShareKey(secret: Uint8Array, publicKey: Uint8Array): Promise<HubShareKey> {
  return { publicKey, privateKey: await suite.DeserializePrivateKey(secret, false) };
}

/** A request as a hub reads it. */
export interface ReceivedRequest {
  readonly id: Uint8Array;
  /** Whether this card's key (compressed point) signed it. */
  isProvenBy(proofKey: Uint8Array): boolean;
  answer(answer: ShareAnswer): Promise<Uint8Array>;
}

/** Reads a request; `undefined` when it is none to this hub and this challenge. */
export async function readShareRequest(
  bytes: Uint8Array,
  { key, challenge }: { key: HubShareKey; challenge: Uint8Array },
): Promise<ReceivedRequest | undefined> {
  if (bytes.length !== REQUEST_BYTES) return undefined;
  let plain: Uint8Array;
  try {
    plain = await suite.Open(key.privateKey, bytes.slice(0, KEY_BYTES), bytes.slice(KEY_BYTES), {
      info: REQUEST_INFO,
      aad: challenge,
    });
  } catch {
    return undefined;
  }
  const length = plain[REQUEST_PLAIN - LONGEST_SIGNATURE - 1] ?? 0;
  if (plain[0] !== VERSION || length > LONGEST_SIGNATURE) return undefined;
  let at = 1;
  const next = (count: number) => plain.slice(at, at += count);
  const [id, answerKey, secret] = [next(SHARE_ID_BYTES), next(KEY_BYTES), next(KEY_BYTES)];
  const signature = plain.slice(REQUEST_PLAIN - LONGEST_SIGNATURE).subarray(0, length);
  const digest = proofDigest({ challenge, id, hubKey: key.publicKey, answerKey, secret });
  return {
    id,
    isProvenBy: (proofKey) => verifies(signature, { digest, proofKey }),
    async answer(answer) {
      const plain = new Uint8Array(ANSWER_PLAIN);
      if (answer.granted) plain.set(answer.share, 1);
      else plain[0] = 1 + SHARE_REFUSALS.indexOf(answer.why);
      const { encapsulatedSecret, ciphertext } = await suite.Seal(
        await suite.DeserializePublicKey(answerKey),
        plain,
        { info: ANSWER_INFO, aad: concat(challenge, id), psk: secret, pskId: id },
      );
      plain.fill(0);
      secret.fill(0);
      return concat(encapsulatedSecret, ciphertext);
    },
  };
}

function readAnswer(plain: Uint8Array): ShareAnswer | undefined {
  const code = plain[0] ?? 0;
  if (code === 0) return { granted: true, share: plain.slice(1) };
  const why = SHARE_REFUSALS[code - 1];
  return why === undefined ? undefined : { granted: false, why };
}

function proofDigest(of: {
  challenge: Uint8Array;
  id: Uint8Array;
  hubKey: Uint8Array;
  answerKey: Uint8Array;
  secret: Uint8Array;
}): Uint8Array {
  const { challenge, id, hubKey, answerKey, secret } = of;
  return sha256(concat(PROOF_LABEL, hubKey, challenge, id, answerKey, sha256(secret)));
}

function verifies(
  signature: Uint8Array,
  { digest, proofKey }: { digest: Uint8Array; proofKey: Uint8Array },
): boolean {
  try {
    // Cards don't choose the lower of the two values that are valid.
    return p256.verify(signature, digest, proofKey, {
      prehash: false,
      format: "der",
      lowS: false,
    });
  } catch {
    return false; // no signature at all
  }
}
