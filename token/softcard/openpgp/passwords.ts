import type { ResponseApdu } from "../../apdu/response.ts";
import { SW } from "../../apdu/status.ts";
import { status } from "../application.ts";
import type { CardScript } from "../memory.ts";
import { renewReference, spendTry, wrongReference } from "../references.ts";
import { LONGEST, SHORTEST } from "./constants.ts";
import type { OpenPgpCommand, OpenPgpContext } from "./context.ts";
import type { Verified } from "./session.ts";
import type { OpenPgpState, Password } from "./state.ts";

type PasswordName = "pw1" | "pw3" | "resettingCode";

/** VERIFY: specification, section 7.2.2. Without data it asks; P1 = FF takes back. */
export const verify: OpenPgpCommand = function* (context, apdu) {
  const { session, state } = context;
  const what = verifiedBy(apdu.p2);
  if (what === undefined) return status(SW.INCORRECT_P1P2);
  const name = what === "administrator" ? "pw3" : "pw1";
  if (apdu.p1 === 0xff) {
    if (apdu.data.length > 0) return status(SW.WRONG_LENGTH);
    session.unverified(what);
    return status(SW.OK);
  }
  if (apdu.p1 !== 0) return status(SW.INCORRECT_P1P2);
  if (apdu.data.length === 0) {
    if (session.isVerified(what)) return status(SW.OK);
    return status(wrongReference(state[name].reference.triesLeft));
  }
  session.unverified(what);
  const masterKey = yield* tryPassword(context, { name, secret: apdu.data });
  if (typeof masterKey === "number") return status(masterKey);
  session.verified(what, masterKey);
  return status(SW.OK);
};

/** CHANGE REFERENCE DATA: section 7.2.3. The old password, then the new one; no mark between. */
export const changeReferenceData: OpenPgpCommand = function* (context, apdu) {
  const { session, state } = context;
  const what = verifiedBy(apdu.p2);
  if (what === undefined || what === "using") return status(SW.INCORRECT_P1P2);
  if (apdu.p1 !== 0) return status(SW.INCORRECT_P1P2);
  const name = what === "administrator" ? "pw3" : "pw1";
  const old = apdu.data.subarray(0, state[name].length);
  const fresh = apdu.data.subarray(state[name].length);
  session.unverified(what);
  const masterKey = yield* tryPassword(context, { name, secret: old });
  if (typeof masterKey === "number") return status(masterKey);
  const answer = yield* replace(context, { name, secret: fresh, masterKey });
  masterKey.fill(0);
  if (name === "pw1") session.unverified("using");
  return answer;
};

/**
 * RESET RETRY COUNTER: section 7.2.4. P1 = 00: with the resetting code; P1 = 02: the administrator
 * was verified. Either gives PW1 anew.
 */
export const resetRetryCounter: OpenPgpCommand = function* (context, apdu) {
  const { session, state } = context;
  if (apdu.p2 !== 0x81) return status(SW.INCORRECT_P1P2);
  session.unverified("signing");
  session.unverified("using");
  if (apdu.p1 === 0x02) {
    const { masterKey } = session;
    if (!session.isVerified("administrator") || masterKey === undefined) {
      return status(SW.SECURITY_STATUS_NOT_SATISFIED);
    }
    return yield* replace(context, { name: "pw1", secret: apdu.data, masterKey });
  }
  if (apdu.p1 !== 0x00) return status(SW.INCORRECT_P1P2);
  if (state.resettingCode === undefined) return status(SW.AUTH_METHOD_BLOCKED);
  const code = apdu.data.subarray(0, state.resettingCode.length);
  const fresh = apdu.data.subarray(state.resettingCode.length);
  const masterKey = yield* tryPassword(context, { name: "resettingCode", secret: code });
  if (typeof masterKey === "number") return status(masterKey);
  const answer = yield* replace(context, { name: "pw1", secret: fresh, masterKey });
  masterKey.fill(0);
  return answer;
};

/** PUT DATA D3: section 4.4.1. The administrator sets the resetting code; empty takes it away. */
export function* putResettingCode(
  context: OpenPgpContext,
  secret: Uint8Array,
): CardScript<ResponseApdu> {
  const { crypto, session, state } = context;
  const { masterKey } = session;
  if (!session.isVerified("administrator") || masterKey === undefined) {
    return status(SW.SECURITY_STATUS_NOT_SATISFIED);
  }
  if (secret.length === 0) {
    const { resettingCode: _gone, ...rest } = state;
    const { state: card } = context.memory;
    const saved = yield* context.memory.save({ ...card, openPgp: rest });
    return status(saved ? SW.OK : SW.MEMORY_FAILURE);
  }
  if (!isLongEnough("resettingCode", secret)) return status(SW.INCORRECT_DATA);
  const reference = renewReference(state.pw1.reference, { crypto, secret, masterKey });
  const resettingCode = { reference, length: secret.length };
  return status((yield* context.save({ resettingCode })) ? SW.OK : SW.MEMORY_FAILURE);
}

function verifiedBy(p2: number): Verified | undefined {
  switch (p2) {
    case 0x81:
      return "signing";
    case 0x82:
      return "using";
    case 0x83:
      return "administrator";
    default:
      return undefined;
  }
}

function* tryPassword(
  context: OpenPgpContext,
  attempt: { name: PasswordName; secret: Uint8Array },
): CardScript<Uint8Array | number> {
  const { name, secret } = attempt;
  const password = context.state[name];
  if (password === undefined) return SW.REFERENCE_NOT_FOUND;
  // A password of a length that none has can't be the right one: it costs no try.
  if (secret.length === 0 || secret.length > LONGEST.password) return SW.INCORRECT_DATA;
  return yield* spendTry(password.reference, {
    crypto: context.crypto,
    secret,
    keep: (reference) =>
      context.save({ [name]: { ...password, reference } satisfies Password } as Partial<
        OpenPgpState
      >),
  });
}

function* replace(
  context: OpenPgpContext,
  change: { name: "pw1" | "pw3"; secret: Uint8Array; masterKey: Uint8Array },
): CardScript<ResponseApdu> {
  const { crypto, state } = context;
  const { name, secret, masterKey } = change;
  if (!isLongEnough(name, secret)) return status(SW.INCORRECT_DATA);
  const reference = renewReference(state[name].reference, { crypto, secret, masterKey });
  const saved = yield* context.save({ [name]: { reference, length: secret.length } });
  return status(saved ? SW.OK : SW.MEMORY_FAILURE);
}

function isLongEnough(name: PasswordName, secret: Uint8Array): boolean {
  return secret.length >= SHORTEST[name] && secret.length <= LONGEST.password;
}
