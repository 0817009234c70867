import { concat, encodeTlv } from "../../apdu/tlv.ts";
import { PIV_AID, PIV_AID_RID, TLV_TAG } from "../../piv/constants.ts";

/** The answer to SELECT: SP 800-73-4 part 2, table 3 (application identifier without its RID). */
export const APPLICATION_TEMPLATE: Uint8Array = encodeTlv(
  TLV_TAG.applicationTemplate,
  concat(
    encodeTlv(TLV_TAG.applicationId, PIV_AID.slice(PIV_AID_RID.length)),
    encodeTlv(TLV_TAG.allocationAuthority, encodeTlv(TLV_TAG.applicationId, PIV_AID_RID)),
    encodeTlv(TLV_TAG.applicationLabel, new TextEncoder().encode("Sekisho software PIV card")),
  ),
);

/**
 * The discovery object: SP 800-73-4 part 1, section 3.3.2. It is not stored: it follows from
 * whether the card has a global PIN (bit 6 of the first byte; 10 in the second: the PIV PIN is the
 * one to ask for first).
 */
export function discoveryObject(hasGlobalPin: boolean): Uint8Array {
  const usage = hasGlobalPin ? Uint8Array.of(0x60, 0x10) : Uint8Array.of(0x40, 0x00);
  return encodeTlv(
    0x7e,
    concat(
      encodeTlv(TLV_TAG.applicationId, PIV_AID),
      encodeTlv(TLV_TAG.pinUsagePolicy, usage),
    ),
  );
}

/**
 * Content of a cardholder unique identifier (SP 800-73-4 part 1, table 9), unsigned: a FASC-N of a
 * card outside the federal government, a GUID of 16 bytes, an expiry far away, empty signature.
 */
export function cardHolderUniqueId(guid: Uint8Array): Uint8Array {
  return concat(
    encodeTlv(0x30, FASC_N_NON_FEDERAL),
    encodeTlv(0x34, guid),
    encodeTlv(0x35, new TextEncoder().encode("20991231")),
    encodeTlv(0x3e, new Uint8Array(0)),
    encodeTlv(0xfe, new Uint8Array(0)),
  );
}

/** Content of a card capability container (SP 800-73-4 part 1, table 8) for PIV and nothing else. */
export function cardCapabilityContainer(cardId: Uint8Array): Uint8Array {
  const identifier = concat(Uint8Array.of(0xa0, 0x00, 0x00, 0x01, 0x16, 0xff, 0x02), cardId);
  const empty = new Uint8Array(0);
  return concat(
    encodeTlv(0xf0, identifier),
    encodeTlv(0xf1, Uint8Array.of(0x21)),
    encodeTlv(0xf2, Uint8Array.of(0x21)),
    encodeTlv(0xf3, empty),
    encodeTlv(0xf4, Uint8Array.of(0x00)),
    encodeTlv(0xf5, Uint8Array.of(0x10)),
    ...[0xf6, 0xf7, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe].map((tag) => encodeTlv(tag, empty)),
  );
}

/** "9999 9999 999999 0 1 0000000000 3 0000 1": what SP 800-73-4 gives to cards of no agency. */
const FASC_N_NON_FEDERAL = Uint8Array.from(
  "d4e739da739ced39ce739d836858210842108421c84210c3eb".match(/../g) ?? [],
  (pair) => parseInt(pair, 16),
);
