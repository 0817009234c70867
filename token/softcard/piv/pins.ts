import { SW } from "../../apdu/status.ts";
import { PIN_REFERENCE } from "../../piv/constants.ts";
import { status } from "../application.ts";
import type { CardScript } from "../memory.ts";
import { renewReference, spendTry, wrongReference } from "../references.ts";
import type { Reference } from "../reference.ts";
import type { ReferenceName } from "../state.ts";
import type { PivCommand, PivContext } from "./context.ts";
import { isPinBlock, PIN_BLOCK } from "./pin_format.ts";

/** VERIFY: SP 800-73-4 part 2, section 3.2.1. Without data it asks; P1 = FF takes back. */
export const verify: PivCommand = function* (context, apdu) {
  const { session } = context;
  const name = referenceName(apdu.p2);
  const reference = name && name !== "puk" ? context.memory.state.piv[name] : undefined;
  if (name === undefined || reference === undefined) return status(SW.REFERENCE_NOT_FOUND);
  if (apdu.p1 === 0xff) {
    if (apdu.data.length > 0) return status(SW.WRONG_LENGTH);
    session.unverified(name);
    return status(SW.OK);
  }
  if (apdu.p1 !== 0x00) return status(SW.INCORRECT_P1P2);
  if (apdu.data.length === 0) {
    if (session.isVerified(name)) return status(SW.OK);
    return status(wrongReference(reference.triesLeft));
  }
  // A malformed PIN can't be the right one: it costs no try, and says nothing.
  if (!isPinBlock(apdu.data)) return status(SW.INCORRECT_DATA);
  const masterKey = yield* tryReference(context, { name, secret: apdu.data });
  if (typeof masterKey === "number") {
    session.unverified(name);
    return status(masterKey);
  }
  session.verified(name, masterKey);
  return status(SW.OK);
};

/** CHANGE REFERENCE DATA: SP 800-73-4 part 2, section 3.2.2. Old and new, 8 bytes each. */
export const changeReferenceData: PivCommand = function* (context, apdu) {
  const name = referenceName(apdu.p2);
  if (name === undefined || context.memory.state.piv[name] === undefined) {
    return status(SW.REFERENCE_NOT_FOUND);
  }
  if (apdu.p1 !== 0x00) return status(SW.INCORRECT_P1P2);
  const [old, fresh] = splitPins(apdu.data);
  if (old === undefined || fresh === undefined) return status(SW.INCORRECT_DATA);
  const masterKey = yield* tryReference(context, { name, secret: old });
  if (typeof masterKey === "number") {
    context.session.unverified(name);
    return status(masterKey);
  }
  const saved = yield* replaceReference(context, { name, secret: fresh, masterKey });
  if (name === "puk" || !saved) masterKey.fill(0);
  else context.session.verified(name, masterKey);
  return status(saved ? SW.OK : SW.MEMORY_FAILURE);
};

/** RESET RETRY COUNTER: SP 800-73-4 part 2, section 3.2.3. PUK and new PIN, 8 bytes each. */
export const resetRetryCounter: PivCommand = function* (context, apdu) {
  if (apdu.p1 !== 0x00) return status(SW.INCORRECT_P1P2);
  if (apdu.p2 !== PIN_REFERENCE.pin) return status(SW.REFERENCE_NOT_FOUND);
  const [puk, fresh] = splitPins(apdu.data);
  if (puk === undefined || fresh === undefined) return status(SW.INCORRECT_DATA);
  const masterKey = yield* tryReference(context, { name: "puk", secret: puk });
  if (typeof masterKey === "number") return status(masterKey);
  const saved = yield* replaceReference(context, { name: "pin", secret: fresh, masterKey });
  masterKey.fill(0);
  // The standard: whoever unblocks has not thereby verified the PIN.
  context.session.unverified("pin");
  return status(saved ? SW.OK : SW.MEMORY_FAILURE);
};

/** Which reference a P2 means; `undefined` for none of this card. */
export function referenceName(p2: number): ReferenceName | undefined {
  switch (p2) {
    case PIN_REFERENCE.pin:
      return "pin";
    case PIN_REFERENCE.puk:
      return "puk";
    case PIN_REFERENCE.global:
      return "global";
    default:
      return undefined;
  }
}

/** {@linkcode spendTry} on one of this application's references. */
function* tryReference(
  context: PivContext,
  attempt: { name: ReferenceName; secret: Uint8Array },
): CardScript<Uint8Array | number> {
  const { memory, crypto } = context;
  const { name, secret } = attempt;
  const reference = memory.state.piv[name];
  if (reference === undefined) return SW.REFERENCE_NOT_FOUND;
  const keep = (changed: Reference) => memory.savePiv({ [name]: changed });
  return yield* spendTry(reference, { crypto, secret, keep });
}

function* replaceReference(
  context: PivContext,
  change: { name: ReferenceName; secret: Uint8Array; masterKey: Uint8Array },
): CardScript<boolean> {
  const { memory, crypto } = context;
  const old = memory.state.piv[change.name];
  // Both callers looked it up before; a card never loses a reference.
  if (old === undefined) return false;
  const fresh = renewReference(old, { ...change, crypto });
  return yield* memory.savePiv({ [change.name]: fresh });
}

function splitPins(data: Uint8Array): [Uint8Array?, Uint8Array?] {
  const first = data.subarray(0, PIN_BLOCK);
  const second = data.subarray(PIN_BLOCK);
  return isPinBlock(first) && isPinBlock(second) ? [first, second] : [];
}
