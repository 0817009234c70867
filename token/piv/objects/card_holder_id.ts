/** The cardholder unique identifier (CHUID). @core */
import { parseTlvs } from "../../apdu/tlv.ts";

/** SP 800-73-4 part 1, section 3.1.2 and table 9. */
export interface CardHolderId {
  /** The card's name: 16 bytes; `undefined` when missing or all zero. */
  readonly guid: Uint8Array | undefined;
  /** Federal Agency Smart Credential Number, 25 bytes, as it is. */
  readonly fascN: Uint8Array | undefined;
  /** The holder's own UUID, where there is one. */
  readonly holderUuid: Uint8Array | undefined;
  /** "20991231" as the card writes it, or "" when it names no date. */
  readonly expires: string;
  /** Whether an issuer signed it; the signature is not checked here. */
  readonly hasSignature: boolean;
}

const TAG = { fascN: 0x30, guid: 0x34, expires: 0x35, holderUuid: 0x36, signature: 0x3e } as const;
const UUID_BYTES = 16;
const FASC_N_BYTES = 25;

/** Reads the object's content; `undefined` when it is malformed. */
export function parseCardHolderId(content: Uint8Array): CardHolderId | undefined {
  const members = parseTlvs(content);
  if (members === undefined) return undefined;
  const value = (tag: number) => members.find((one) => one.tag === tag)?.value;
  const expires = new TextDecoder("latin1").decode(value(TAG.expires));
  return {
    guid: ofLength(value(TAG.guid), UUID_BYTES),
    fascN: ofLength(value(TAG.fascN), FASC_N_BYTES),
    holderUuid: ofLength(value(TAG.holderUuid), UUID_BYTES),
    expires: /^\d{8}$/.test(expires) ? expires : "",
    hasSignature: (value(TAG.signature)?.length ?? 0) > 0,
  };
}

function ofLength(value: Uint8Array | undefined, length: number): Uint8Array | undefined {
  return value?.length === length && value.some((byte) => byte !== 0) ? value : undefined;
}
