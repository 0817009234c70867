/** What a frame says once its issuer's signature holds: a profile, and which secrets belong to it. */
import { sha256 } from "@noble/hashes/sha2.js";
import * as v from "valibot";
import type { SecretMemory } from "../../os/secret_memory.ts";
import { decodeFrame, encodeFrame, LONGEST_SETTINGS } from "./frame.ts";
import { type IssuerSigner, signJson, verifyJson } from "./jws.ts";
import { checkProfile, type Profile } from "./profile.ts";
import type { IssuerKey, Opened, SecretKey } from "./types.ts";

const KEY_BYTES = 32;

const SettingsSchema = v.object({
  profile: v.unknown(),
  /** SHA-256 of the secrets, base64url. */
  secrets: v.pipe(v.string(), v.length(43)),
});

/** Keys of a profile on their way into a container. */
export interface ProfileKeys {
  /** Exactly when the identity is sealed. */
  readonly privateKey?: Uint8Array;
  /** Exactly when the server has one. */
  readonly presharedKey?: Uint8Array;
}

/** Signs a profile and frames it with its keys. The caller wipes the result. */
export async function encodeSettings(
  content: { profile: Profile } & ProfileKeys,
  options: { issuer: IssuerSigner; salt: Uint8Array },
): Promise<Uint8Array<ArrayBuffer>> {
  const { profile, privateKey, presharedKey } = content;
  const expected = [profile.identity.kind === "sealed", profile.server.hasPresharedKey];
  const given = [privateKey, presharedKey];
  if (given.some((key, index) => (key?.length === KEY_BYTES) !== expected[index])) {
    throw new RangeError("Cannot seal the profile: it names other keys than those given");
  }
  const secrets = new Uint8Array(KEY_BYTES * expected.filter(Boolean).length);
  let at = 0;
  for (const key of given) {
    if (key === undefined) continue;
    secrets.set(key, at);
    at += KEY_BYTES;
  }
  const settings = await signJson(
    { profile, secrets: digestOf(secrets) },
    { kind: "sekisho-settings", issuer: options.issuer },
  );
  const frame = encodeFrame({ settings, secrets }, options.salt);
  secrets.fill(0);
  return frame;
}

/** Checks a frame and moves its keys into native memory. The caller wipes `plaintext`. */
export async function decodeSettings(
  plaintext: Uint8Array,
  options: { issuerKeys: readonly IssuerKey[]; secrets: SecretMemory },
): Promise<Opened> {
  const frame = decodeFrame(plaintext);
  if (typeof frame === "string") return { result: "fault", fault: frame };
  const verified = await verifyJson(frame.settings, {
    kind: "sekisho-settings",
    issuerKeys: options.issuerKeys,
    longest: LONGEST_SETTINGS,
  });
  if (typeof verified === "string") return { result: "fault", fault: verified };
  const settings = v.safeParse(SettingsSchema, verified.value);
  if (!settings.success) return { result: "fault", fault: "damaged" };
  const profile = checkProfile(settings.output.profile);
  if (typeof profile === "string") return { result: "fault", fault: profile };
  if (digestOf(frame.secrets) !== settings.output.secrets) {
    return { result: "fault", fault: "forged" };
  }
  const isSealed = profile.identity.kind === "sealed";
  const hasPsk = profile.server.hasPresharedKey;
  if (frame.secrets.length !== KEY_BYTES * (Number(isSealed) + Number(hasPsk))) {
    return { result: "fault", fault: "damaged" };
  }
  let at = 0;
  const next = (): SecretKey => {
    const place = options.secrets.take(KEY_BYTES);
    place.bytes.set(frame.secrets.subarray(at, at += KEY_BYTES));
    return place;
  };
  return {
    result: "ok",
    profile,
    ...(isSealed ? { privateKey: next() } : {}),
    ...(hasPsk ? { presharedKey: next() } : {}),
  };
}

function digestOf(secrets: Uint8Array): string {
  return sha256(secrets).toBase64({ alphabet: "base64url", omitPadding: true });
}
