import type { ResponseApdu } from "../../apdu/response.ts";
import { SW } from "../../apdu/status.ts";
import { encodeTlv, findTlv, parseTlvs } from "../../apdu/tlv.ts";
import { KEY_REFERENCE, PIN_POLICY, TLV_TAG } from "../../piv/constants.ts";
import { status, success } from "../application.ts";
import type { StoredKey } from "../state.ts";
import { unseal } from "../vault.ts";
import type { PivCommand, PivContext } from "./context.ts";
import { keySealContext } from "./keys.ts";
import { authenticateManagement } from "./management.ts";

/** GENERAL AUTHENTICATE: SP 800-73-4 part 2, section 3.2.4. P1 algorithm, P2 key. */
export const generalAuthenticate: PivCommand = (context, apdu) => {
  const template = findTlv(apdu.data, TLV_TAG.dynamicAuthentication);
  const list = template && parseTlvs(template);
  if (list === undefined) return status(SW.INCORRECT_DATA);
  const members = new Map(list.map(({ tag, value }) => [tag, value]));
  if (members.size !== list.length) return status(SW.INCORRECT_DATA);
  if (apdu.p2 === KEY_REFERENCE.management) {
    return authenticateManagement(context, { algorithm: apdu.p1, members });
  }
  const key = context.memory.state.piv.keys.get(apdu.p2);
  // The attestation key speaks through ATTEST only: else anybody's words could be attested.
  if (key === undefined || apdu.p2 === KEY_REFERENCE.attestation) {
    return status(SW.REFERENCE_NOT_FOUND);
  }
  if (key.algorithm !== apdu.p1) return status(SW.INCORRECT_P1P2);
  return useKey(context, { slot: apdu.p2, key, members });
};

/** Opens a key by its policy. A status word tells why it can't be used now. */
export function openKey(
  context: PivContext,
  request: { slot: number; key: StoredKey },
): Uint8Array | number {
  const { session } = context;
  const { slot, key } = request;
  if (!key.sealed) return key.secret;
  const { masterKey } = session;
  if (masterKey === undefined) return SW.SECURITY_STATUS_NOT_SATISFIED;
  if (key.pinPolicy === PIN_POLICY.always && !session.isPinFresh) {
    return SW.SECURITY_STATUS_NOT_SATISFIED;
  }
  return unseal(key.secret, { masterKey, context: keySealContext(slot, key) }) ??
    SW.MEMORY_FAILURE;
}

function useKey(
  context: PivContext,
  request: { slot: number; key: StoredKey; members: ReadonlyMap<number, Uint8Array> },
): ResponseApdu {
  const { slot, key, members } = request;
  const challenge = members.get(TLV_TAG.challenge);
  const peer = members.get(TLV_TAG.exponentiation);
  // An empty 82 asks for the result; exactly one of 81 (sign, decipher) and 85 (agree) comes along.
  if (members.get(TLV_TAG.response)?.length !== 0 || members.size !== 2) {
    return status(SW.INCORRECT_DATA);
  }
  const secret = openKey(context, { slot, key });
  if (typeof secret === "number") return status(secret);
  if (key.pinPolicy !== PIN_POLICY.never) context.session.isPinFresh = false;
  const result = challenge !== undefined
    ? context.crypto.sign(key.algorithm, secret, challenge)
    : peer !== undefined
    ? context.crypto.agree(key.algorithm, secret, peer)
    : undefined;
  if (key.sealed) secret.fill(0);
  if (result === undefined) return status(SW.INCORRECT_DATA);
  return success(
    encodeTlv(TLV_TAG.dynamicAuthentication, encodeTlv(TLV_TAG.response, result)),
  );
}
