/** Key operations: SP 800-73-4 part 2, sections 3.2.4 and 3.3.2; import and facts as Yubico has them. */
import type { CardChannel } from "../apdu/channel.ts";
import { command } from "../apdu/command.ts";
import { SW } from "../apdu/status.ts";
import { concat, encodeTlv, parseTlvs, readTlv, type Tlv } from "../apdu/tlv.ts";
import { garbled, refusal } from "./client_errors.ts";
import { exchange } from "./client_exchange.ts";
import type {
  ImportedKeyOptions,
  KeyMetadata,
  NewKeyOptions,
  PinFacts,
  RsaSecret,
} from "./client_types.ts";
import {
  ANSWER_MS,
  IMPORT_TAG,
  KEY_ORIGIN,
  METADATA_TAG,
  type PinReference,
  PIV_ALGORITHM,
  PIV_INS,
  type PivAlgorithm,
  TLV_TAG,
  YUBICO_INS,
} from "./constants.ts";

/** Makes a key on the card; see {@linkcode publicKeyOf} for the answer's shape. */
export async function generateKey(
  channel: CardChannel,
  slot: number,
  options: NewKeyOptions,
): Promise<Uint8Array> {
  const { algorithm } = options;
  const control = encodeTlv(
    TLV_TAG.generateControl,
    concat(
      encodeTlv(TLV_TAG.generateAlgorithm, Uint8Array.of(algorithm)),
      policies(options),
    ),
  );
  const { data, sw } = await exchange(
    channel,
    command({ ins: PIV_INS.generateAsymmetric, p2: slot }, { data: control, ne: 256 }),
    isRsa(algorithm) ? { answerMs: ANSWER_MS.generateRsa } : {},
  );
  if (sw !== SW.OK) throw refusal(`generate a key in slot ${slot.toString(16)}`, sw);
  const template = readTlv(data, 0);
  const key = template?.tag === TLV_TAG.publicKeyTemplate
    ? publicKeyOf(template.value, algorithm)
    : undefined;
  if (key === undefined) throw garbled("the card's new public key");
  return key;
}

/** Puts a key on the card that was made elsewhere: P-256, Ed25519, X25519 or RSA-2048. */
export async function importKey(
  channel: CardChannel,
  slot: number,
  options: ImportedKeyOptions,
): Promise<void> {
  const { algorithm, secret } = options;
  const parts = importParts(algorithm, secret).map(([tag, value]) => encodeTlv(tag, value));
  const data = concat(...parts, policies(options));
  for (const part of parts) part.fill(0);
  try {
    const { sw } = await exchange(
      channel,
      command({ ins: YUBICO_INS.importKey, p1: algorithm, p2: slot }, { data }),
    );
    if (sw !== SW.OK) throw refusal(`import a key into slot ${slot.toString(16)}`, sw);
  } finally {
    data.fill(0);
  }
}

/**
 * A certificate in DER in which the card says that it made the key of a slot (Yubico's ATTEST).
 * `undefined`: the key is none that the card made, or the card has no such command.
 */
export async function attest(channel: CardChannel, slot: number): Promise<Uint8Array | undefined> {
  const { data, sw } = await exchange(
    channel,
    command({ ins: YUBICO_INS.attest, p1: slot }, { ne: 256 }),
  );
  return sw === SW.OK && data.length > 0 ? data : undefined;
}

/** Signs: P-256 over a hash (DER comes back), Ed25519 over a message, RSA over a padded block. */
export function sign(
  channel: CardChannel,
  slot: number,
  request: { algorithm: PivAlgorithm; input: Uint8Array; answerMs?: number },
): Promise<Uint8Array> {
  return useKey(channel, slot, {
    ...request,
    member: encodeTlv(TLV_TAG.challenge, request.input),
    doing: `sign with the key in slot ${slot.toString(16)}`,
  });
}

/**
 * Diffie-Hellman. P-256: `peer` is 04 X Y, X comes back; X25519: 32 bytes each. The caller wipes
 * the result.
 */
export async function agree(
  channel: CardChannel,
  slot: number,
  request: { algorithm: PivAlgorithm; peer: Uint8Array; answerMs?: number },
): Promise<Uint8Array> {
  const result = await useKey(channel, slot, {
    ...request,
    member: encodeTlv(TLV_TAG.exponentiation, request.peer),
    doing: `agree on a key with slot ${slot.toString(16)}`,
  });
  if (result.length !== 32) throw garbled("the card's shared secret");
  return result;
}

/** A key's facts; `undefined` when the slot is empty or the card tells none. */
export async function metadata(
  channel: CardChannel,
  slot: number,
): Promise<KeyMetadata | undefined> {
  const { data, sw } = await exchange(
    channel,
    command({ ins: YUBICO_INS.getMetadata, p2: slot }, { ne: 256 }),
  );
  if (sw !== SW.OK) return undefined;
  const list = parseTlvs(data);
  const algorithm = valueOf(list, METADATA_TAG.algorithm)?.[0];
  if (list === undefined || algorithm === undefined) return undefined;
  const [pinPolicy, touchPolicy] = valueOf(list, METADATA_TAG.policy) ?? [];
  const origin = valueOf(list, METADATA_TAG.origin)?.[0];
  const encoded = valueOf(list, METADATA_TAG.publicKey);
  const publicKey = encoded && publicKeyOf(encoded, algorithm);
  return {
    algorithm,
    ...(pinPolicy === undefined ? {} : { pinPolicy }),
    ...(touchPolicy === undefined ? {} : { touchPolicy }),
    ...(origin === undefined
      ? {}
      : { origin: origin === KEY_ORIGIN.imported ? "imported" : "generated" }),
    ...(publicKey === undefined ? {} : { publicKey }),
  };
}

/** A PIN's or PUK's facts; `undefined` on cards that tell none. */
export async function pinFacts(
  channel: CardChannel,
  reference: PinReference,
): Promise<PinFacts | undefined> {
  const { data, sw } = await exchange(
    channel,
    command({ ins: YUBICO_INS.getMetadata, p2: reference }, { ne: 256 }),
  );
  const list = sw === SW.OK ? parseTlvs(data) : undefined;
  const [tries, triesLeft] = valueOf(list, METADATA_TAG.retries) ?? [];
  const isDefault = valueOf(list, METADATA_TAG.isDefault)?.[0];
  if (tries === undefined || triesLeft === undefined || isDefault === undefined) return undefined;
  return { isDefault: isDefault === 1, tries, triesLeft };
}

async function useKey(
  channel: CardChannel,
  slot: number,
  request: { algorithm: number; member: Uint8Array; doing: string; answerMs?: number },
): Promise<Uint8Array> {
  const { algorithm, member, doing, answerMs } = request;
  const asked = encodeTlv(TLV_TAG.response, new Uint8Array(0));
  const { data, sw } = await exchange(
    channel,
    command({ ins: PIV_INS.generalAuthenticate, p1: algorithm, p2: slot }, {
      data: encodeTlv(TLV_TAG.dynamicAuthentication, concat(asked, member)),
      ne: 256,
    }),
    answerMs === undefined ? {} : { answerMs },
  );
  if (sw !== SW.OK) throw refusal(doing, sw);
  // Every copy but the one returned is wiped: it may be a shared secret.
  const template = readTlv(data, 0);
  data.fill(0);
  const result = template?.tag === TLV_TAG.dynamicAuthentication
    ? readTlv(template.value, 0)
    : undefined;
  template?.value.fill(0);
  if (result?.tag !== TLV_TAG.response) throw garbled("the card's result");
  return result.value;
}

/** Curves: the point alone (04 X Y, or 32 bytes). RSA: the template's members as they are. */
function publicKeyOf(members: Uint8Array, algorithm: number): Uint8Array | undefined {
  const list = parseTlvs(members);
  const lengths: Record<number, number> = {
    [PIV_ALGORITHM.eccP256]: 65,
    [PIV_ALGORITHM.eccP384]: 97,
    [PIV_ALGORITHM.ed25519]: 32,
    [PIV_ALGORITHM.x25519]: 32,
  };
  const expected = lengths[algorithm];
  if (expected === undefined) {
    return valueOf(list, TLV_TAG.rsaModulus) === undefined ? undefined : members;
  }
  const point = valueOf(list, TLV_TAG.eccPoint);
  return point?.length === expected ? point : undefined;
}

function valueOf(list: readonly Tlv[] | undefined, tag: number): Uint8Array | undefined {
  return list?.find((one) => one.tag === tag)?.value;
}

function policies({ pinPolicy, touchPolicy }: NewKeyOptions): Uint8Array {
  const item = (tag: number, value: number | undefined) =>
    value === undefined ? new Uint8Array(0) : encodeTlv(tag, Uint8Array.of(value));
  return concat(item(TLV_TAG.pinPolicy, pinPolicy), item(TLV_TAG.touchPolicy, touchPolicy));
}

function isRsa(algorithm: PivAlgorithm): boolean {
  return algorithm === PIV_ALGORITHM.rsa1024 || algorithm === PIV_ALGORITHM.rsa2048;
}

/** The tags and values of a private key. */
function importParts(
  algorithm: PivAlgorithm,
  secret: Uint8Array | RsaSecret,
): [tag: number, value: Uint8Array][] {
  if (!(secret instanceof Uint8Array)) {
    const { p, q, dp, dq, qinv } = secret;
    const half = RSA_HALF_BYTES.get(algorithm);
    if ([p, q, dp, dq, qinv].some(({ length }) => length !== half)) {
      throw new RangeError(`Cannot import an RSA key of ${p.length} bytes a part as ${algorithm}`);
    }
    return [
      [IMPORT_TAG.rsaP, p],
      [IMPORT_TAG.rsaQ, q],
      [IMPORT_TAG.rsaDp, dp],
      [IMPORT_TAG.rsaDq, dq],
      [IMPORT_TAG.rsaQinv, qinv],
    ];
  }
  const tag = CURVE_TAGS.get(algorithm);
  if (tag === undefined || secret.length !== 32) {
    throw new RangeError(`Cannot import a key of ${secret.length} bytes for ${algorithm}`);
  }
  return [[tag, secret]];
}

const RSA_HALF_BYTES: ReadonlyMap<PivAlgorithm, number> = new Map([
  [PIV_ALGORITHM.rsa1024, 64],
  [PIV_ALGORITHM.rsa2048, 128],
]);

const CURVE_TAGS: ReadonlyMap<PivAlgorithm, number> = new Map([
  [PIV_ALGORITHM.eccP256, IMPORT_TAG.eccScalar],
  [PIV_ALGORITHM.ed25519, IMPORT_TAG.ed25519],
  [PIV_ALGORITHM.x25519, IMPORT_TAG.x25519],
]);
