import { SW } from "../../apdu/status.ts";
import { encodeTlv, findTlv, parseTlvs } from "../../apdu/tlv.ts";
import { LARGEST_OBJECT, OBJECT_TAG, TLV_TAG } from "../../piv/constants.ts";
import { status, success } from "../application.ts";
import type { PivState, StoredObject } from "../state.ts";
import { seal, unseal } from "../vault.ts";
import type { PivCommand } from "./context.ts";
import { discoveryObject } from "./identity.ts";

/** All that a card can hold in data objects, in bytes; each costs its content and a header. */
export const OBJECT_SPACE = 65_536;
const OBJECT_HEADER = 8;

/** GET DATA: SP 800-73-4 part 2, section 3.1.2. */
export const getData: PivCommand = (context, apdu) => {
  if (apdu.p1 !== 0x3f || apdu.p2 !== 0xff) return status(SW.INCORRECT_P1P2);
  const tag = objectTag(apdu.data);
  if (tag === undefined) return status(SW.INCORRECT_DATA);
  const { piv } = context.memory.state;
  if (tag === OBJECT_TAG.discovery) return success(discoveryObject(piv.global !== undefined));
  const stored = piv.objects.get(tag);
  const { masterKey } = context.session;
  if (needsPin(tag) && masterKey === undefined) return status(SW.SECURITY_STATUS_NOT_SATISFIED);
  if (stored === undefined) return status(SW.FILE_NOT_FOUND);
  const content = stored.sealed && masterKey
    ? unseal(stored.bytes, { masterKey, context: sealContext(tag) })
    : stored.bytes;
  if (content === undefined) return status(SW.MEMORY_FAILURE);
  return success(encodeTlv(TLV_TAG.data, content));
};

/** PUT DATA: SP 800-73-4 part 2, section 3.3.1. Empty content deletes. */
export const putData: PivCommand = function* (context, apdu) {
  const { memory, session } = context;
  if (!session.isAdministrator) return status(SW.SECURITY_STATUS_NOT_SATISFIED);
  if (apdu.p1 !== 0x3f || apdu.p2 !== 0xff) return status(SW.INCORRECT_P1P2);
  const tag = objectTag(apdu.data);
  const content = findTlv(apdu.data, TLV_TAG.data);
  if (tag === undefined || content === undefined) return status(SW.INCORRECT_DATA);
  if (!isWritable(tag)) return status(SW.FUNCTION_NOT_SUPPORTED);
  if (content.length > LARGEST_OBJECT) return status(SW.NOT_ENOUGH_MEMORY);
  const objects = new Map(memory.state.piv.objects);
  objects.delete(tag);
  if (content.length > 0) {
    objects.set(tag, storedObject());
    if (usedSpace(objects) > OBJECT_SPACE) return status(SW.NOT_ENOUGH_MEMORY);
  }
  const saved = yield* memory.savePiv({ objects });
  return status(saved ? SW.OK : SW.MEMORY_FAILURE);

  function storedObject(): StoredObject {
    if (tag === undefined || content === undefined || !needsPin(tag)) {
      return { sealed: false, bytes: content ?? new Uint8Array(0) };
    }
    const { vault } = memory.state.piv;
    const bytes = seal(content, { crypto: context.crypto, vault, context: sealContext(tag) });
    return { sealed: true, bytes };
  }
};

/** How many bytes of content may still be written as one new object. */
export function freeSpace(piv: PivState): number {
  return Math.max(0, OBJECT_SPACE - usedSpace(piv.objects) - OBJECT_HEADER);
}

function usedSpace(objects: ReadonlyMap<number, StoredObject>): number {
  let used = 0;
  for (const { bytes } of objects.values()) used += bytes.length + OBJECT_HEADER;
  return used;
}

function objectTag(data: Uint8Array): number | undefined {
  const first = parseTlvs(data)?.[0];
  if (first?.tag !== TLV_TAG.tagList) return undefined;
  if (first.value.length < 1 || first.value.length > 3) return undefined;
  return first.value.reduce((tag, byte) => (tag << 8) | byte, 0);
}

/** Three bytes that begin with 5F; the discovery object follows from the card itself. */
function isWritable(tag: number): boolean {
  return tag >> 16 === 0x5f;
}

/** SP 800-73-4 part 1, table 2: what of the data model is read with the PIN only. */
function needsPin(tag: number): boolean {
  return tag === OBJECT_TAG.fingerprints || tag === OBJECT_TAG.facialImage ||
    tag === OBJECT_TAG.printedInformation || tag === OBJECT_TAG.irisImages;
}

function sealContext(tag: number): string {
  return `object ${tag.toString(16)}`;
}
