import { SW } from "../../apdu/status.ts";
import { concat, encodeTlv, findTlv } from "../../apdu/tlv.ts";
import { status, success } from "../application.ts";
import { unseal } from "../vault.ts";
import { algorithmsFor } from "./algorithms.ts";
import { DO, LONGEST, OPENPGP_RID, OPENPGP_VERSION } from "./constants.ts";
import type { OpenPgpCommand, OpenPgpContext } from "./context.ts";
import { KEY_NAMES, type KeyPlace, type OpenPgpState } from "./state.ts";

/** Longest command and answer that this card takes: section 4.1.3.1. */
const LONGEST_APDU = 4096;

/** Section 6.1: card services, capabilities (chaining, extended length), operational. */
const HISTORICAL_BYTES = Uint8Array.of(0x00, 0x31, 0xc5, 0x73, 0xc0, 0x01, 0xc0, 0x05, 0x90, 0x00);

/**
 * Section 4.4.3.7: GET CHALLENGE, key import, changeable PW1 status and algorithms, private
 * objects. No secure messaging, no key derivation by the host.
 */
const EXTENDED_CAPABILITIES = concat(
  Uint8Array.of(0x7c, 0x00),
  sixteenBits(LONGEST.challenge),
  sixteenBits(LONGEST.certificate),
  sixteenBits(LONGEST.special),
  Uint8Array.of(0x00, 0x00),
);

/** GET DATA: section 7.2.6. */
export const getData: OpenPgpCommand = (context, apdu) => {
  const tag = (apdu.p1 << 8) | apdu.p2;
  const { state, session } = context;
  if (tag === DO.private3 && !session.isVerified("using")) {
    return status(SW.SECURITY_STATUS_NOT_SATISFIED);
  }
  if (tag === DO.private4 && !session.isVerified("administrator")) {
    return status(SW.SECURITY_STATUS_NOT_SATISFIED);
  }
  const value = objectValue(context, tag);
  if (value === undefined) return status(SW.REFERENCE_NOT_FOUND);
  if (typeof value === "number") return status(value);
  return success(value);

  function objectValue(
    { memory }: OpenPgpContext,
    wanted: number,
  ): Uint8Array | number | undefined {
    switch (wanted) {
      case DO.applicationId:
        return applicationId(memory.state.serial);
      case DO.historicalBytes:
        return HISTORICAL_BYTES;
      case DO.cardholder:
        return encodeTlv(DO.cardholder, list(DO.name, DO.language, DO.salutation));
      case DO.applicationRelated:
        return applicationRelated(state, memory.state.serial);
      case DO.securitySupport:
        return encodeTlv(DO.securitySupport, encodeTlv(DO.signatureCounter, counter(state)));
      case DO.signatureCounter:
        return counter(state);
      case DO.passwordStatus:
        return passwordStatus(state);
      case DO.keyInformation:
        return keyInformation(state);
      case DO.algorithmInformation:
        return algorithmInformation();
      case DO.private3:
      case DO.private4:
        return sealedObject(context, wanted);
      case DO.login:
      case DO.url:
      case DO.private1:
      case DO.private2:
      case DO.name:
      case DO.language:
      case DO.salutation:
        return state.objects.get(wanted) ?? new Uint8Array(0);
      case DO.certificate:
        return state.objects.get(certificateTag(session.certificate)) ?? new Uint8Array(0);
      default:
        return discretionary(state).find(([known]) => known === wanted)?.[1];
    }
  }

  function list(...tags: number[]): Uint8Array {
    const value = (one: number) => state.objects.get(one) ?? new Uint8Array(0);
    return concat(...tags.map((one) => encodeTlv(one, value(one))));
  }
};

/** SELECT DATA: section 7.2.5. P1 says which certificate is meant from now on. */
export const selectData: OpenPgpCommand = ({ session }, apdu) => {
  const list = findTlv(apdu.data, 0x60);
  const tag = list && findTlv(list, 0x5c);
  const isCertificate = tag?.length === 2 &&
    ((tag[0] ?? 0) << 8 | (tag[1] ?? 0)) === DO.certificate;
  if (apdu.p2 !== 0x04) return status(SW.INCORRECT_P1P2);
  if (!isCertificate || apdu.p1 > 2) return status(SW.REFERENCE_NOT_FOUND);
  session.certificate = apdu.p1 === 0 ? 0 : apdu.p1 === 1 ? 1 : 2;
  return status(SW.OK);
};

/** GET NEXT DATA: section 7.2.7. The next certificate, until there is none. */
export const getNextData: OpenPgpCommand = (context, apdu) => {
  const { session } = context;
  if (((apdu.p1 << 8) | apdu.p2) !== DO.certificate) return status(SW.REFERENCE_NOT_FOUND);
  if (session.certificate === 2) return status(SW.REFERENCE_NOT_FOUND);
  session.certificate = session.certificate === 0 ? 1 : 2;
  return getData(context, apdu);
};

/** Where one of the three certificates is kept. */
export function certificateTag(which: number): number {
  return (DO.certificate << 8) | which;
}

/** What a sealed private object is bound to. */
export function objectSealContext(tag: number): string {
  return `openpgp object ${tag.toString(16)}`;
}

/** Section 4.2.1: the serial number as it is printed, in decimal digits. */
export function applicationId(serial: number): Uint8Array {
  const digits = String(serial).padStart(8, "0").slice(-8);
  const bytes = (digits.match(/../g) ?? []).map((pair) => parseInt(pair, 16));
  return concat(OPENPGP_RID, OPENPGP_VERSION, Uint8Array.from(bytes), Uint8Array.of(0, 0));
}

function sealedObject(context: OpenPgpContext, tag: number): Uint8Array | number {
  const stored = context.state.objects.get(tag);
  const { masterKey } = context.session;
  if (stored === undefined || stored.length === 0) return new Uint8Array(0);
  if (masterKey === undefined) return SW.SECURITY_STATUS_NOT_SATISFIED;
  return unseal(stored, { masterKey, context: objectSealContext(tag) }) ?? SW.MEMORY_FAILURE;
}

function applicationRelated(state: OpenPgpState, serial: number): Uint8Array {
  const extended = concat(
    encodeTlv(0x02, sixteenBits(LONGEST_APDU)),
    encodeTlv(0x02, sixteenBits(LONGEST_APDU)),
  );
  const members = discretionary(state).map(([tag, value]) => encodeTlv(tag, value));
  return encodeTlv(
    DO.applicationRelated,
    concat(
      encodeTlv(DO.applicationId, applicationId(serial)),
      encodeTlv(DO.historicalBytes, HISTORICAL_BYTES),
      encodeTlv(DO.extendedLength, extended),
      encodeTlv(DO.discretionary, concat(...members)),
    ),
  );
}

function discretionary(state: OpenPgpState): [tag: number, value: Uint8Array][] {
  const { signature, decipher, authentication } = state.keys;
  const each = (pick: (place: KeyPlace) => Uint8Array) =>
    concat(...KEY_NAMES.map((name) => pick(state.keys[name])));
  return [
    [DO.extendedCapabilities, EXTENDED_CAPABILITIES],
    [DO.signatureAttributes, signature.attributes],
    [DO.decipherAttributes, decipher.attributes],
    [DO.authenticationAttributes, authentication.attributes],
    [DO.passwordStatus, passwordStatus(state)],
    [DO.fingerprints, each((place) => place.fingerprint)],
    [DO.caFingerprints, each((place) => place.caFingerprint)],
    [DO.generationTimes, each((place) => place.time)],
    [DO.keyInformation, keyInformation(state)],
  ];
}

/** Section 4.4.3.11. */
function passwordStatus({ isPw1Lasting, pw1, pw3, resettingCode }: OpenPgpState): Uint8Array {
  const { password: longest } = LONGEST;
  return Uint8Array.of(
    isPw1Lasting ? 1 : 0,
    ...[longest, longest, longest],
    pw1.reference.triesLeft,
    resettingCode?.reference.triesLeft ?? 0,
    pw3.reference.triesLeft,
  );
}

/** Section 4.4.3.8: number and origin of each key. */
function keyInformation(state: OpenPgpState): Uint8Array {
  const origin = { none: 0, generated: 1, imported: 2 } as const;
  return Uint8Array.from(
    KEY_NAMES.flatMap((name, at) => [at + 1, origin[state.keys[name].key?.origin ?? "none"]]),
  );
}

/** Section 4.4.3.12: every algorithm that a key may be given. */
function algorithmInformation(): Uint8Array {
  const members = KEY_NAMES.flatMap((name, at) =>
    algorithmsFor(name).map(([attributes]) => encodeTlv(DO.signatureAttributes + at, attributes))
  );
  return encodeTlv(DO.algorithmInformation, concat(...members));
}

function counter({ signatures }: OpenPgpState): Uint8Array {
  return Uint8Array.of(signatures >> 16, (signatures >> 8) & 0xff, signatures & 0xff);
}

function sixteenBits(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 0xff);
}
