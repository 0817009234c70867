/** What `token show` tells of a card itself, apart from its profile. */
import { openPgpFacts, pivFacts } from "../capabilities/find_out.ts";
import { judge } from "../capabilities/judge.ts";
import type { CardCapabilities } from "../capabilities/types.ts";
import { type CapabilityLanguage, describeCapabilities } from "../capabilities/words.ts";
import { ageRecipient } from "../openpgp/age_card.ts";
import { selectOpenPgp } from "../openpgp/client.ts";
import type { CardSession } from "../pcsc/types.ts";
import type { PivClient } from "../piv/client.ts";
import { describeKeys, type KeyDescription } from "../piv/describe_keys.ts";
import { PROOF_SEED_BYTES } from "../piv/prove_key.ts";
import type { OpenedCard } from "./card.ts";

/** Facts for people and for programs; `capabilities` have their words in `ways`. */
export interface CardFacts extends Record<string, unknown> {
  readonly capabilities: CardCapabilities;
}

/** A PIV card, without its PIN. */
export async function describePiv({ reader, id, piv }: OpenedCard): Promise<CardFacts> {
  const holder = await piv.holderPin();
  const factory = (await piv.pinFacts(holder))?.isDefault;
  const capabilities = judge(await pivFacts(piv));
  return {
    reader,
    cardId: id,
    serial: await piv.serial(),
    version: await piv.version(),
    pin: await piv.pinStatus(),
    ...(holder === 0 ? { pinKind: "global" } : {}),
    ...(factory === true ? { warning: "the PIN is still the factory's" } : {}),
    identities: capabilities.identities.filter(({ open }) => open === "yes").map(({ way }) => way),
    capabilities,
    keys: await keyFacts(piv),
  };
}

/** An OpenPGP card; `undefined` when it is none. */
export async function describeOpenPgp(session: CardSession): Promise<CardFacts | undefined> {
  const card = await selectOpenPgp(session);
  if (card === undefined) return undefined;
  const { id, passwords, decryption } = await card.applicationData();
  const isX25519 = decryption.kind === "ecdh" && decryption.curve === "x25519";
  const key = isX25519 ? await card.decryptionKey() : undefined;
  return {
    reader: session.reader,
    cardId: await card.cardId(),
    kind: "OpenPGP",
    version: id.version,
    holder: (await card.cardholder()).display || undefined,
    pin: await card.pinStatus(),
    triesOfAdministrator: passwords.triesLeft.administrator,
    recipient: key && ageRecipient(key),
    capabilities: judge(await openPgpFacts(card)),
  };
}

/** The card's keys by slot, in words; with `random` each is challenged. */
export async function keyFacts(
  piv: PivClient,
  random?: (length: number) => Uint8Array,
): Promise<Record<string, unknown>> {
  const challenge = random && (() => random(PROOF_SEED_BYTES));
  const keys = await describeKeys(piv, challenge === undefined ? {} : { challenge });
  return Object.fromEntries(keys.map((one) => [one.slot.toString(16), inWords(one)]));
}

/** The ways of a card as lines, in the language of the terminal. */
export function ways(capabilities: CardCapabilities): Record<string, unknown> {
  const lines = describeCapabilities(capabilities, terminalLanguage());
  return {
    capabilities: Object.fromEntries(
      lines.map(({ what, open, why }) => [what, `${open}. ${why}`]),
    ),
  };
}

function inWords(key: KeyDescription): Record<string, unknown> {
  const { certificate, attestation, contradictions } = key;
  return {
    algorithm: key.algorithm,
    origin: key.origin,
    certificate: certificate && ("fault" in certificate ? certificate : {
      subject: certificate.subject,
      issuer: certificate.issuer,
      notAfter: new Date(certificate.notAfter).toISOString(),
    }),
    attestation: attestation && {
      backedBy: attestation.chain.state,
      ...("root" in attestation.chain ? { root: attestation.chain.root } : {}),
      firmware: attestation.firmware,
      serial: attestation.serial,
    },
    challenge: key.proof,
    ...(contradictions.length === 0 ? {} : { contradictions }),
  };
}

function terminalLanguage(): CapabilityLanguage {
  const words = ["LC_ALL", "LC_MESSAGES", "LANG"].map((name) => Deno.env.get(name) ?? "");
  return words.find((word) => word !== "")?.startsWith("ja") ? "ja" : "en";
}
