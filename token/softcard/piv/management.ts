import type { ResponseApdu } from "../../apdu/response.ts";
import { SW } from "../../apdu/status.ts";
import { encodeTlv } from "../../apdu/tlv.ts";
import { equalBytes } from "../../constant_time.ts";
import { PIV_ALGORITHM, TLV_TAG } from "../../piv/constants.ts";
import { status, success } from "../application.ts";
import type { BlockAlgorithm } from "../crypto.ts";
import type { PivContext } from "./context.ts";

/** Block ciphers of management keys: SP 800-78-4 table 6-2, with key and block lengths in bytes. */
export const BLOCK_CIPHERS: Readonly<
  Record<BlockAlgorithm, { id: number; keyLength: number; blockLength: number }>
> = {
  "3DES": { id: PIV_ALGORITHM.tripleDes, keyLength: 24, blockLength: 8 },
  "AES-128": { id: PIV_ALGORITHM.aes128, keyLength: 16, blockLength: 16 },
  "AES-192": { id: PIV_ALGORITHM.aes192, keyLength: 24, blockLength: 16 },
  "AES-256": { id: PIV_ALGORITHM.aes256, keyLength: 32, blockLength: 16 },
};

/**
 * GENERAL AUTHENTICATE with the management key: SP 800-73-4 part 2, appendix A.1. Either side may
 * begin: the host asks for a witness (both prove the key) or for a challenge (only the host does).
 * The form in which the card encrypts what the host likes is not offered: it would be an oracle.
 */
export function authenticateManagement(
  context: PivContext,
  request: { algorithm: number; members: ReadonlyMap<number, Uint8Array> },
): ResponseApdu {
  const { crypto, session } = context;
  const { management } = context.memory.state.piv;
  const cipher = BLOCK_CIPHERS[management.algorithm];
  const { members } = request;
  const pending = session.pending;
  session.pending = undefined;
  // 00 means 3DES as well (SP 800-78-4 table 6-2).
  const algorithm = request.algorithm === 0x00 ? PIV_ALGORITHM.tripleDes : request.algorithm;
  if (algorithm !== cipher.id) return status(SW.INCORRECT_P1P2);
  const witness = members.get(TLV_TAG.witness);
  const challenge = members.get(TLV_TAG.challenge);
  const response = members.get(TLV_TAG.response);
  if (witness?.length === 0 && members.size === 1) {
    const plain = crypto.randomBytes(cipher.blockLength);
    session.pending = { kind: "witness", plain };
    return answer(TLV_TAG.witness, crypto.block("encrypt", management, plain));
  }
  if (challenge?.length === 0 && members.size === 1) {
    const plain = crypto.randomBytes(cipher.blockLength);
    session.pending = { kind: "challenge", plain };
    return answer(TLV_TAG.challenge, plain);
  }
  if (pending?.kind === "witness" && witness !== undefined) {
    if (challenge?.length !== cipher.blockLength) return status(SW.INCORRECT_DATA);
    session.isAdministrator = equalBytes(witness, pending.plain);
    if (!session.isAdministrator) return status(SW.SECURITY_STATUS_NOT_SATISFIED);
    return answer(TLV_TAG.response, crypto.block("encrypt", management, challenge));
  }
  if (pending?.kind === "challenge" && response !== undefined) {
    const expected = crypto.block("encrypt", management, pending.plain);
    session.isAdministrator = equalBytes(response, expected);
    return status(session.isAdministrator ? SW.OK : SW.SECURITY_STATUS_NOT_SATISFIED);
  }
  return status(pending === undefined ? SW.CONDITIONS_NOT_SATISFIED : SW.INCORRECT_DATA);
}

function answer(tag: number, value: Uint8Array): ResponseApdu {
  return success(encodeTlv(TLV_TAG.dynamicAuthentication, encodeTlv(tag, value)));
}
