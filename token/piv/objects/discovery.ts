/** The discovery object: which PIN a card's holder has. @core */
import { parseTlvs, readTlv } from "../../apdu/tlv.ts";
import { OBJECT_TAG, PIN_REFERENCE, type PinReference, TLV_TAG } from "../constants.ts";

/** SP 800-73-4 part 1, section 3.3.2. */
export interface Discovery {
  readonly applicationId: Uint8Array;
  /** What satisfies the card's access rules. */
  readonly accepts: {
    readonly applicationPin: boolean;
    readonly globalPin: boolean;
    /** A fingerprint that the card compares. */
    readonly biometric: boolean;
  };
  /** The PIN to ask the holder for. */
  readonly primary: Extract<PinReference, 0x00 | 0x80>;
}

/** The bits of the policy's first byte, and the second byte that prefers the global PIN. */
const ACCEPTS = { applicationPin: 0x40, globalPin: 0x20, biometric: 0x10 } as const;
const PREFERS_GLOBAL = 0x20;

/** Reads the object (7E with its tag and length); `undefined` when it is malformed. */
export function parseDiscovery(object: Uint8Array): Discovery | undefined {
  const outer = readTlv(object, 0);
  if (outer?.tag !== OBJECT_TAG.discovery || outer.end !== object.length) return undefined;
  const members = parseTlvs(outer.value);
  const applicationId = members?.find(({ tag }) => tag === TLV_TAG.applicationId)?.value;
  const policy = members?.find(({ tag }) => tag === TLV_TAG.pinUsagePolicy)?.value;
  const [first = 0, second = 0] = policy ?? [];
  if (applicationId === undefined || policy?.length !== 2) return undefined;
  const accepts = {
    applicationPin: (first & ACCEPTS.applicationPin) !== 0,
    globalPin: (first & ACCEPTS.globalPin) !== 0,
    biometric: (first & ACCEPTS.biometric) !== 0,
  };
  // The second byte counts only where there are two to choose from.
  const isGlobal = accepts.globalPin && (second === PREFERS_GLOBAL || !accepts.applicationPin);
  return {
    applicationId,
    accepts,
    primary: isGlobal ? PIN_REFERENCE.global : PIN_REFERENCE.pin,
  };
}
