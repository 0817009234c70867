/**
 * The keys of a card as they are shown: what the card says of each, what its certificates and
 * attestations say, and where these contradict each other or the key itself.
 */
import { type Attestation, attests, readAttestation } from "./attestation.ts";
import { certificateFacts } from "./certificate_facts.ts";
import type { PivClient } from "./client.ts";
import type { KeyMetadata } from "./client_types.ts";
import {
  ANSWER_MS,
  KEY_REFERENCE,
  PIV_ALGORITHM,
  type PivAlgorithm,
  RETIRED_KEY_REFERENCES,
  TOUCH_POLICY,
} from "./constants.ts";
import type { CertificateFault } from "./objects/certificate.ts";
import { type KeyProof, proveKey } from "./prove_key.ts";
import { type CardPublicKey, isSameKey } from "./public_key.ts";

/** A slot's key. Everything in it is the card's own word, except `proof`. */
export interface KeyDescription {
  readonly slot: number;
  /** "P-256", "X25519", …; `undefined` when neither metadata nor certificate names a known one. */
  readonly algorithm: string | undefined;
  readonly origin: "generated" | "imported" | undefined;
  readonly certificate: CertificateDescription | undefined;
  /** What the card attests; `undefined` for keys that it did not make, or can't attest. */
  readonly attestation: AttestationDescription | undefined;
  /** How a challenge ended; `undefined` when nobody asked for one. */
  readonly proof: KeyProof["proof"] | undefined;
  /** What doesn't fit together; empty on an honest card. */
  readonly contradictions: readonly Contradiction[];
}

/** A certificate in words. */
export type CertificateDescription =
  | { readonly fault: CertificateFault }
  | { readonly subject: string; readonly issuer: string; readonly notAfter: number };

/** An attestation in words. */
export type AttestationDescription = Pick<Attestation, "chain" | "firmware" | "serial">;

/** Why a card, or somebody who wrote to it, is not to be trusted about a key. */
export type Contradiction =
  /** The certificate names another key than the card's metadata. */
  | "certificate-of-another-key"
  /** The attestation speaks of another key, or the card's own certificate didn't sign it. */
  | "attestation-broken"
  /** The attestation names another serial number than the card. */
  | "attestation-of-another-card"
  /** The card answered a challenge with another key. */
  | "key-not-there";

/** Every slot that people use, those with a purpose first. */
const SLOTS: readonly number[] = [
  KEY_REFERENCE.authentication,
  KEY_REFERENCE.signature,
  KEY_REFERENCE.keyManagement,
  KEY_REFERENCE.cardAuthentication,
  ...RETIRED_KEY_REFERENCES,
];

/** What describing needs of a card. */
export type DescribedCard = Pick<
  PivClient,
  "metadata" | "certificate" | "attest" | "serial" | "sign" | "agree"
>;

/**
 * Describes every slot that has a key or a certificate. `challenge` gives the random bytes for one
 * proof (`PROOF_SEED_BYTES`); with it each key is challenged, for which the PIN must be verified.
 */
export async function describeKeys(
  card: DescribedCard,
  options: { challenge?: () => Uint8Array } = {},
): Promise<KeyDescription[]> {
  const own = await card.certificate(KEY_REFERENCE.attestation);
  const issuer = own?.result === "ok" ? own.der : undefined;
  const serial = await card.serial();
  const found: KeyDescription[] = [];
  for (const slot of SLOTS) {
    const one = await describe(card, { ...options, slot, issuer, serial });
    if (one !== undefined) found.push(one);
  }
  return found;
}

/** Describes one slot; `undefined` when it has neither a key nor a certificate. */
export async function describeKey(
  card: DescribedCard,
  slot: number,
): Promise<KeyDescription | undefined> {
  const own = await card.certificate(KEY_REFERENCE.attestation);
  const issuer = own?.result === "ok" ? own.der : undefined;
  return await describe(card, { slot, issuer, serial: await card.serial() });
}

async function describe(
  card: DescribedCard,
  request: {
    slot: number;
    issuer: Uint8Array<ArrayBuffer> | undefined;
    serial: number | undefined;
    challenge?: () => Uint8Array;
  },
): Promise<KeyDescription | undefined> {
  const { slot, issuer, serial, challenge } = request;
  const metadata = await card.metadata(slot);
  const read = await card.certificate(slot);
  if (metadata === undefined && read === undefined) return undefined;
  const facts = read?.result === "ok" ? certificateFacts(read.der) : undefined;
  const told = keyOf(metadata);
  const key = told ?? facts?.key;
  const der = metadata?.origin === "generated" ? await card.attest(slot) : undefined;
  const attestation = der && await readAttestation({ der: Uint8Array.from(der), issuer });
  const wantsTouch = (metadata?.touchPolicy ?? TOUCH_POLICY.never) > TOUCH_POLICY.never;
  const proof = key && challenge && await proveKey(card, slot, {
    ...key,
    seed: challenge(),
    ...(wantsTouch ? { answerMs: ANSWER_MS.touch } : {}),
  });

  const contradictions: Contradiction[] = [];
  if (told !== undefined && facts?.key !== undefined && !isSameKey(told, facts.key)) {
    contradictions.push("certificate-of-another-key");
  }
  if (attestation !== undefined && told !== undefined && !attests(attestation, told)) {
    contradictions.push("attestation-broken");
  }
  if (attestation?.serial !== undefined && attestation.serial !== serial) {
    contradictions.push("attestation-of-another-card");
  }
  if (proof?.proof === "other-key") contradictions.push("key-not-there");
  return {
    slot,
    algorithm: nameOf(metadata?.algorithm ?? key?.algorithm),
    origin: metadata?.origin,
    certificate: read &&
      (read.result === "fault"
        ? { fault: read.fault }
        : facts === undefined
        ? { fault: "not-a-certificate" }
        : { subject: facts.subject, issuer: facts.issuer, notAfter: facts.notAfter }),
    attestation: attestation && {
      chain: attestation.chain,
      firmware: attestation.firmware,
      serial: attestation.serial,
    },
    proof: proof?.proof,
    contradictions,
  };
}

const NAMES: ReadonlyMap<number, string> = new Map([
  [PIV_ALGORITHM.rsa1024, "RSA-1024"],
  [PIV_ALGORITHM.rsa2048, "RSA-2048"],
  [PIV_ALGORITHM.eccP256, "P-256"],
  [PIV_ALGORITHM.eccP384, "P-384"],
  [PIV_ALGORITHM.ed25519, "Ed25519"],
  [PIV_ALGORITHM.x25519, "X25519"],
]);

function nameOf(algorithm: number | undefined): string | undefined {
  return algorithm === undefined ? undefined : NAMES.get(algorithm);
}

function keyOf(metadata: KeyMetadata | undefined): CardPublicKey | undefined {
  if (metadata?.publicKey === undefined || !NAMES.has(metadata.algorithm)) return undefined;
  return { algorithm: metadata.algorithm as PivAlgorithm, publicKey: metadata.publicKey };
}
