import { SW } from "../../apdu/status.ts";
import { isPursePinBlock } from "../../stored_value/pin.ts";
import { LENGTH, PURSE_PIN_REFERENCE } from "../../stored_value/wire.ts";
import { status } from "../application.ts";
import type { CardScript } from "../memory.ts";
import { renewReference, spendTry, wrongReference } from "../references.ts";
import type { Reference } from "../reference.ts";
import type { PurseCommand, PurseContext } from "./context.ts";

/** VERIFY. Without data it asks. */
export const verify: PurseCommand = function* (context, apdu) {
  const { purse, session } = context;
  const { pin } = purse;
  if (apdu.p2 !== PURSE_PIN_REFERENCE || pin === undefined) return status(SW.REFERENCE_NOT_FOUND);
  if (apdu.p1 !== 0) return status(SW.INCORRECT_P1P2);
  if (apdu.data.length === 0) {
    return status(session.isVerified ? SW.OK : wrongReference(pin.triesLeft));
  }
  // A malformed PIN can't be the right one: it costs no try, and says nothing.
  if (!isPursePinBlock(apdu.data)) return status(SW.INCORRECT_DATA);
  const sw = yield* tryPin(context, { pin, secret: apdu.data });
  return status(sw);
};

/** CHANGE REFERENCE DATA: the old and the new PIN, 8 bytes each. */
export const changePin: PurseCommand = function* (context, apdu) {
  const { purse, crypto } = context;
  const { pin } = purse;
  if (apdu.p2 !== PURSE_PIN_REFERENCE || pin === undefined) return status(SW.REFERENCE_NOT_FOUND);
  if (apdu.p1 !== 0) return status(SW.INCORRECT_P1P2);
  const old = apdu.data.subarray(0, LENGTH.pin);
  const fresh = apdu.data.subarray(LENGTH.pin);
  if (!isPursePinBlock(old) || !isPursePinBlock(fresh)) return status(SW.INCORRECT_DATA);
  const sw = yield* tryPin(context, { pin, secret: old });
  if (sw !== SW.OK) return status(sw);
  const masterKey = crypto.randomBytes(LENGTH.key);
  const changed = renewReference(pin, { crypto, secret: fresh, masterKey });
  masterKey.fill(0);
  return status((yield* context.save({ pin: changed })) ? SW.OK : SW.MEMORY_FAILURE);
};

function* tryPin(
  context: PurseContext,
  { pin, secret }: { pin: Reference; secret: Uint8Array },
): CardScript<number> {
  const { session, crypto } = context;
  session.isVerified = false;
  session.isPinFresh = false;
  const keep = (changed: Reference) => context.save({ pin: changed });
  const opened = yield* spendTry(pin, { crypto, secret, keep });
  if (typeof opened === "number") return opened;
  opened.fill(0);
  session.isVerified = true;
  session.isPinFresh = true;
  return SW.OK;
}
