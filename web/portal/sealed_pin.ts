import * as v from "valibot";
import { SEALED_BYTES, SEALED_WITH_ID_BYTES } from "../../token/pin/sealed_lengths.ts";
import { isPasskeyName } from "../../token/profile/passkey_name.ts";
import { fromBase64url } from "../shared/base64url.ts";

/**
 * A sealed PIN as JSON: `engine` as in the target, `enc` and `ciphertext` in base64url. `way`: it is
 * a passkey's answer; `adds`: the answer of a passkey that is to be added, as such.
 */
export const sealedPinSchema = v.strictObject({
  engine: v.pipe(v.string(), v.minLength(1), v.maxLength(128)),
  enc: bytes(32),
  ciphertext: bytes(SEALED_BYTES, SEALED_WITH_ID_BYTES),
  way: v.exactOptional(v.literal("passkey")),
  adds: v.exactOptional(v.strictObject({
    enc: bytes(32),
    ciphertext: bytes(SEALED_BYTES),
    name: v.pipe(v.string(), v.check(isPasskeyName, "a name of at most 32 characters")),
  })),
});

/** Largest body that can hold one, with room for spaces. */
export const MAX_SEALED_PIN_BODY = 1024;

function bytes(...lengths: number[]) {
  return v.pipe(
    v.string(),
    v.maxLength(256),
    v.rawTransform<string, Uint8Array<ArrayBuffer>>(({ dataset, addIssue, NEVER }) => {
      const decoded = fromBase64url(dataset.value);
      if (decoded !== undefined && lengths.includes(decoded.length)) return decoded;
      addIssue({ expected: `${lengths.join(" or ")} bytes in base64url` });
      return NEVER;
    }),
  );
}
