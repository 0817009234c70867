import type { ResponseApdu } from "../../apdu/response.ts";
import { SW } from "../../apdu/status.ts";
import { concat, findTlv, parseTlvs } from "../../apdu/tlv.ts";
import { PIV_ALGORITHM, type PivAlgorithm } from "../../piv/constants.ts";
import { status, success } from "../application.ts";
import type { CardCrypto } from "../crypto.ts";
import { LONGEST } from "./constants.ts";
import type { OpenPgpCommand, OpenPgpContext } from "./context.ts";
import { openKey } from "./keys.ts";
import type { KeyName } from "./state.ts";

/** PERFORM SECURITY OPERATION: COMPUTE DIGITAL SIGNATURE (7.2.10) or DECIPHER (7.2.11). */
export const performSecurityOperation: OpenPgpCommand = function* (context, apdu) {
  const { session, state } = context;
  if (apdu.p1 === 0x80 && apdu.p2 === 0x86) return decipher(context, apdu.data);
  if (apdu.p1 !== 0x9e || apdu.p2 !== 0x9a) return status(SW.INCORRECT_P1P2);
  if (!session.isVerified("signing")) return status(SW.SECURITY_STATUS_NOT_SATISFIED);
  const answer = signWith(context, "signature", apdu.data);
  if (answer.sw !== SW.OK) return answer;
  // The count is durable before the signature is out: nobody signs more than it says.
  const signatures = Math.min(state.signatures + 1, 0xff_ffff);
  if (!(yield* context.save({ signatures }))) return status(SW.MEMORY_FAILURE);
  if (!state.isPw1Lasting) session.unverified("signing");
  return answer;
};

/** INTERNAL AUTHENTICATE: section 7.2.13, with the authentication key. */
export const internalAuthenticate: OpenPgpCommand = (context, apdu) => {
  if (apdu.p1 !== 0 || apdu.p2 !== 0) return status(SW.INCORRECT_P1P2);
  if (!context.session.isVerified("using")) return status(SW.SECURITY_STATUS_NOT_SATISFIED);
  return signWith(context, "authentication", apdu.data);
};

/** GET CHALLENGE: section 7.2.15. */
export const getChallenge: OpenPgpCommand = ({ crypto }, apdu) => {
  if (apdu.p1 !== 0 || apdu.p2 !== 0) return status(SW.INCORRECT_P1P2);
  if (apdu.ne === 0 || apdu.ne > LONGEST.challenge + 1) return status(SW.WRONG_LENGTH);
  return success(crypto.randomBytes(Math.min(apdu.ne, LONGEST.challenge)));
};

function signWith(context: OpenPgpContext, name: KeyName, data: Uint8Array): ResponseApdu {
  const opened = openKey(context, name);
  if (typeof opened === "number") return status(opened);
  const { algorithm, secret } = opened;
  const signature = sign(context.crypto, { algorithm, secret, data });
  secret.fill(0);
  return signature === undefined ? status(SW.INCORRECT_DATA) : success(signature);
}

function sign(
  crypto: CardCrypto,
  { algorithm, secret, data }: { algorithm: PivAlgorithm; secret: Uint8Array; data: Uint8Array },
): Uint8Array | undefined {
  if (data.length === 0) return undefined;
  switch (algorithm) {
    case PIV_ALGORITHM.rsa2048: {
      const padded = padForSigning(data);
      return padded && crypto.sign(algorithm, secret, padded);
    }
    case PIV_ALGORITHM.eccP256: {
      const encoded = crypto.sign(algorithm, secret, data);
      return encoded && bareSignature(encoded);
    }
    default:
      return crypto.sign(algorithm, secret, data);
  }
}

function decipher(context: OpenPgpContext, data: Uint8Array): ResponseApdu {
  if (!context.session.isVerified("using")) return status(SW.SECURITY_STATUS_NOT_SATISFIED);
  const opened = openKey(context, "decipher");
  if (typeof opened === "number") return status(opened);
  const { algorithm, secret } = opened;
  const plain = algorithm === PIV_ALGORITHM.rsa2048
    ? decipherRsa(context.crypto, secret, data)
    : agree(context.crypto, { algorithm, secret, data });
  secret.fill(0);
  return plain === undefined ? status(SW.INCORRECT_DATA) : success(plain);
}

/** A6, in it 7F49, in it 86 with the other side's point. X25519 comes as 32 bytes, or after 40. */
function agree(
  crypto: CardCrypto,
  { algorithm, secret, data }: { algorithm: PivAlgorithm; secret: Uint8Array; data: Uint8Array },
): Uint8Array | undefined {
  const template = findTlv(data, 0xa6);
  const publicKey = template && findTlv(template, 0x7f49);
  const point = publicKey && findTlv(publicKey, 0x86);
  if (point === undefined) return undefined;
  const isPrefixed = algorithm === PIV_ALGORITHM.x25519 && point.length === 33 &&
    point[0] === 0x40;
  return crypto.agree(algorithm, secret, isPrefixed ? point.subarray(1) : point);
}

/** A padding indicator (00), then the cryptogram; PKCS #1 v1.5 (RFC 8017 section 7.2.2). */
function decipherRsa(
  crypto: CardCrypto,
  secret: Uint8Array,
  data: Uint8Array,
): Uint8Array | undefined {
  if (data[0] !== 0) return undefined;
  const block = crypto.sign(PIV_ALGORITHM.rsa2048, secret, data.subarray(1));
  if (block === undefined) return undefined;
  const end = block.indexOf(0, 2);
  const isPadded = block[0] === 0 && block[1] === 2 && end >= 10;
  const plain = isPadded ? block.slice(end + 1) : undefined;
  block.fill(0);
  return plain;
}

/** EMSA-PKCS1-v1_5 (RFC 8017 section 9.2) around a DigestInfo of at most 40 % of the modulus. */
function padForSigning(digestInfo: Uint8Array): Uint8Array | undefined {
  if (digestInfo.length > 102) return undefined;
  const block = new Uint8Array(256).fill(0xff);
  block.set([0x00, 0x01]);
  block[255 - digestInfo.length] = 0x00;
  block.set(digestInfo, 256 - digestInfo.length);
  return block;
}

/** OpenPGP cards give r and s bare, each as long as the curve's order. */
function bareSignature(encoded: Uint8Array): Uint8Array | undefined {
  const sequence = findTlv(encoded, 0x30);
  const [r, s] = (sequence && parseTlvs(sequence)) ?? [];
  if (r === undefined || s === undefined) return undefined;
  return concat(fixed(r.value), fixed(s.value));
}

/** A DER integer in 32 bytes. */
function fixed(value: Uint8Array): Uint8Array {
  const digits = value.subarray(Math.max(0, value.length - 32));
  const bytes = new Uint8Array(32);
  bytes.set(digits, 32 - digits.length);
  return bytes;
}
