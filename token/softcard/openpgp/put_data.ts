import { SW } from "../../apdu/status.ts";
import { status } from "../application.ts";
import type { CardScript } from "../memory.ts";
import { seal } from "../vault.ts";
import { algorithmOf } from "./algorithms.ts";
import { DO, LONGEST } from "./constants.ts";
import { type OpenPgpCommand, type OpenPgpContext, withPlace } from "./context.ts";
import { certificateTag, objectSealContext } from "./objects.ts";
import { putResettingCode } from "./passwords.ts";
import { KEY_NAMES, type KeyName, type OpenPgpState } from "./state.ts";

/** PUT DATA: section 7.2.8. PW3 writes; of the private objects, 0101 and 0103 belong to PW1. */
export const putData: OpenPgpCommand = function* (context, apdu) {
  const tag = (apdu.p1 << 8) | apdu.p2;
  const { session, state } = context;
  const { data } = apdu;
  const isHolders = tag === DO.private1 || tag === DO.private3;
  if (!session.isVerified(isHolders ? "using" : "administrator")) {
    return status(SW.SECURITY_STATUS_NOT_SATISFIED);
  }
  if (tag === DO.resettingCode) return yield* putResettingCode(context, data);
  const longest = longestOf(tag);
  if (longest !== undefined) {
    if (data.length > longest) return status(SW.WRONG_LENGTH);
    const kept = tag === DO.certificate ? certificateTag(session.certificate) : tag;
    return yield* saved(context, { objects: withObject(context, { tag: kept, data }) });
  }
  if (tag === DO.passwordStatus) {
    const [flag] = data;
    // Other bytes may come along (section 4.4.3.11); only the first can be changed.
    if (data.length > 7 || (flag !== 0 && flag !== 1)) return status(SW.INCORRECT_DATA);
    return yield* saved(context, { isPw1Lasting: flag === 1 });
  }
  const change = keyObject(state, { tag, data });
  if (typeof change === "number") return status(change);
  return yield* saved(context, change);
};

function* saved(context: OpenPgpContext, change: Partial<OpenPgpState>): CardScript<
  ReturnType<typeof status>
> {
  return status((yield* context.save(change)) ? SW.OK : SW.MEMORY_FAILURE);
}

/** Objects that are stored as they are, and how long each may be. */
function longestOf(tag: number): number | undefined {
  switch (tag) {
    case DO.login:
    case DO.url:
    case DO.private1:
    case DO.private2:
    case DO.private3:
    case DO.private4:
      return LONGEST.special;
    case DO.certificate:
      return LONGEST.certificate;
    case DO.name:
      return LONGEST.name;
    case DO.language:
      return LONGEST.language;
    case DO.salutation:
      return 1;
    default:
      return undefined;
  }
}

/** What is read with a password only lies sealed. Empty content deletes. */
function withObject(
  { crypto, state }: OpenPgpContext,
  { tag, data }: { tag: number; data: Uint8Array },
): ReadonlyMap<number, Uint8Array> {
  const objects = new Map(state.objects);
  objects.delete(tag);
  if (data.length === 0) return objects;
  const isSealed = tag === DO.private3 || tag === DO.private4;
  const options = { crypto, vault: state.vault, context: objectSealContext(tag) };
  return objects.set(tag, isSealed ? seal(data, options) : data);
}

/** Attributes, fingerprints and times of keys; a status word for anything else. */
function keyObject(
  state: OpenPgpState,
  { tag, data }: { tag: number; data: Uint8Array },
): Partial<OpenPgpState> | number {
  const attributesOf = keyAt(tag, DO.signatureAttributes);
  if (attributesOf !== undefined) return attributes(state, attributesOf, data);
  const fields = [
    [DO.firstFingerprint, 20, "fingerprint"],
    [DO.firstCaFingerprint, 20, "caFingerprint"],
    [DO.firstGenerationTime, 4, "time"],
  ] as const;
  for (const [first, length, field] of fields) {
    const name = keyAt(tag, first);
    if (name === undefined) continue;
    return data.length === length ? withPlace(state, name, { [field]: data }) : SW.WRONG_LENGTH;
  }
  return SW.REFERENCE_NOT_FOUND;
}

/** Another algorithm makes the key useless: it goes. The same one again leaves it. */
function attributes(
  state: OpenPgpState,
  name: KeyName,
  data: Uint8Array,
): Partial<OpenPgpState> | number {
  const wanted = algorithmOf(name, data);
  if (wanted === undefined) return SW.INCORRECT_DATA;
  const { key, ...place } = state.keys[name];
  const isSame = algorithmOf(name, place.attributes) === wanted;
  const kept = isSame && key !== undefined ? { key } : {};
  return { keys: { ...state.keys, [name]: { ...place, ...kept, attributes: data } } };
}

function keyAt(tag: number, first: number): KeyName | undefined {
  return KEY_NAMES[tag - first];
}
