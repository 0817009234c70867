/** Data objects: SP 800-73-4 part 2, sections 3.1.2 and 3.3.1; the card's name among them. */
import type { CardChannel } from "../apdu/channel.ts";
import { command } from "../apdu/command.ts";
import { SW } from "../apdu/status.ts";
import { concat, encodeTlv, readTlv } from "../apdu/tlv.ts";
import { garbled, refusal } from "./client_errors.ts";
import { exchange } from "./client_exchange.ts";
import { LARGEST_OBJECT, OBJECT_TAG, PIV_INS, TLV_TAG } from "./constants.ts";
import { parseCardHolderId } from "./objects/card_holder_id.ts";

/** P1 and P2 of GET DATA and PUT DATA: the object is named in the data field. */
const NAMED = { p1: 0x3f, p2: 0xff } as const;

/** "Not found", and what cards that know a fixed list of tags say of every other. */
const ABSENT: readonly number[] = [
  SW.FILE_NOT_FOUND,
  SW.REFERENCE_NOT_FOUND,
  SW.INCORRECT_DATA,
  SW.FUNCTION_NOT_SUPPORTED,
];

/** The object's content; `undefined` when the card has none under this tag, or an empty one. */
export async function getObject(
  channel: CardChannel,
  tag: number,
): Promise<Uint8Array | undefined> {
  const { data, sw } = await exchange(
    channel,
    command({ ins: PIV_INS.getData, ...NAMED }, { data: tagList(tag), ne: 256 }),
  );
  if (ABSENT.includes(sw)) return undefined;
  if (sw !== SW.OK) throw refusal(`read the object ${tag.toString(16)}`, sw);
  const object = readTlv(data, 0);
  if (object === undefined || object.tag !== TLV_TAG.data || object.end !== data.length) {
    throw garbled(`the object ${tag.toString(16)}`);
  }
  return object.value.length === 0 ? undefined : object.value;
}

/**
 * The discovery object as it is: its own tag stands in the place of the usual wrapping (73-1 section
 * 3.3.2). `undefined`: the card has none; many stock cards don't.
 */
export async function discoveryObject(channel: CardChannel): Promise<Uint8Array | undefined> {
  const { data, sw } = await exchange(
    channel,
    command({ ins: PIV_INS.getData, ...NAMED }, { data: tagList(OBJECT_TAG.discovery), ne: 256 }),
  );
  return sw === SW.OK && data.length > 0 ? data : undefined;
}

/** Writes an object, or empties it. Needs the management key. */
export async function putObject(
  channel: CardChannel,
  object: { tag: number; value: Uint8Array },
): Promise<void> {
  const { tag, value } = object;
  if (value.length > LARGEST_OBJECT) {
    throw new RangeError(`Cannot write an object of ${value.length} bytes to a card`);
  }
  const { sw } = await exchange(
    channel,
    command({ ins: PIV_INS.putData, ...NAMED }, {
      data: concat(tagList(tag), encodeTlv(TLV_TAG.data, value)),
    }),
  );
  if (sw !== SW.OK) throw refusal(`write the object ${tag.toString(16)}`, sw);
}

/** The GUID of the card's CHUID in lower-case hexadecimal; `undefined` when it has none. */
export async function cardGuid(channel: CardChannel): Promise<string | undefined> {
  const chuid = await getObject(channel, OBJECT_TAG.cardHolderUniqueId);
  return chuid && parseCardHolderId(chuid)?.guid?.toHex();
}

function tagList(tag: number): Uint8Array {
  const bytes = [tag >> 16, tag >> 8, tag].map((part) => part & 0xff);
  while (bytes.length > 1 && bytes[0] === 0) bytes.shift();
  return encodeTlv(TLV_TAG.tagList, Uint8Array.from(bytes));
}
