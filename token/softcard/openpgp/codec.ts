/** The OpenPGP application's part of the state file. @core */
import * as v from "valibot";
import { base64, BYTES, bytesOf, REFERENCE, referenceToFile } from "../codec_fields.ts";
import {
  KEY_NAMES,
  type KeyName,
  type KeyPlace,
  type OpenPgpState,
  type Password,
} from "./state.ts";

/** The application as JSON. */
export function openPgpToFile(state: OpenPgpState): Record<string, unknown> {
  const { pw1, pw3, resettingCode, vault, keys, objects, ...plain } = state;
  return {
    ...plain,
    pw1: passwordToFile(pw1),
    pw3: passwordToFile(pw3),
    ...(resettingCode === undefined ? {} : { resettingCode: passwordToFile(resettingCode) }),
    vault: base64(vault),
    keys: Object.fromEntries(KEY_NAMES.map((name) => [name, placeToFile(keys[name])])),
    objects: [...objects].map(([tag, bytes]) => ({ tag, bytes: base64(bytes) })),
  };
}

/** Reads it back. */
export function openPgpFromFile(file: v.InferOutput<typeof OPENPGP_FILE>): OpenPgpState {
  return { ...file, objects: new Map(file.objects.map(({ tag, bytes }) => [tag, bytes])) };
}

function passwordToFile({ reference, length }: Password): Record<string, unknown> {
  return { reference: referenceToFile(reference), length };
}

function placeToFile(place: KeyPlace): Record<string, unknown> {
  const { attributes, fingerprint, caFingerprint, time, key } = place;
  return {
    attributes: base64(attributes),
    fingerprint: base64(fingerprint),
    caFingerprint: base64(caFingerprint),
    time: base64(time),
    ...(key === undefined ? {} : {
      key: { origin: key.origin, publicKey: base64(key.publicKey), sealed: base64(key.sealed) },
    }),
  };
}

const PASSWORD = v.object({
  reference: REFERENCE,
  length: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(64)),
});
const PLACE = v.object({
  attributes: v.pipe(BYTES, v.check((bytes) => bytes.length <= 16)),
  fingerprint: bytesOf(20),
  caFingerprint: bytesOf(20),
  time: bytesOf(4),
  key: v.exactOptional(v.object({
    origin: v.picklist(["generated", "imported"] as const),
    publicKey: BYTES,
    sealed: BYTES,
  })),
});
const PLACES: Record<KeyName, typeof PLACE> = {
  signature: PLACE,
  decipher: PLACE,
  authentication: PLACE,
};

/** Its form in the file. */
export const OPENPGP_FILE = v.object({
  isTerminated: v.boolean(),
  pw1: PASSWORD,
  pw3: PASSWORD,
  resettingCode: v.exactOptional(PASSWORD),
  vault: bytesOf(32),
  isPw1Lasting: v.boolean(),
  signatures: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xff_ffff)),
  keys: v.object(PLACES),
  objects: v.array(v.object({ tag: v.number(), bytes: BYTES })),
});
