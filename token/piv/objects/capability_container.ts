/** The card capability container (CCC). @core */
import { parseTlvs } from "../../apdu/tlv.ts";

/** SP 800-73-4 part 1, table 8; only what PIV uses of it. */
export interface CapabilityContainer {
  /** 21 bytes: GSC-RID, manufacturer, card type, card number; `undefined` when there is none. */
  readonly cardIdentifier: Uint8Array | undefined;
  /** 16 for PIV. */
  readonly dataModel: number | undefined;
}

const TAG = { cardIdentifier: 0xf0, dataModel: 0xf5 } as const;
const IDENTIFIER_BYTES = 21;

/** Reads the object's content; `undefined` when it is malformed. */
export function parseCapabilityContainer(content: Uint8Array): CapabilityContainer | undefined {
  const members = parseTlvs(content);
  if (members === undefined) return undefined;
  const value = (tag: number) => members.find((one) => one.tag === tag)?.value;
  const identifier = value(TAG.cardIdentifier);
  const model = value(TAG.dataModel);
  return {
    cardIdentifier: identifier?.length === IDENTIFIER_BYTES ? identifier : undefined,
    dataModel: model?.length === 1 ? model[0] : undefined,
  };
}
