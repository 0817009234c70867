import * as v from "valibot";
import { MAX_SEALED_BYTES } from "../../token/pin/seal.ts";
import { isPasskeyName } from "../../token/profile/passkey_name.ts";
import { PRF_BYTES } from "../../token/profile/prf_inputs.ts";
import { fromBase64url } from "../shared/base64url.ts";

const TAG_BYTES = 16;

const PRF_SEALED = PRF_BYTES + TAG_BYTES;

/**
 * A sealed PIN as JSON: `engine` as in the target, `enc` and `ciphertext` in base64url. `way`: it is
 * a passkey's answer; `adds`: the answer of a passkey that is to be added, as such.
 */
export const sealedPinSchema = v.strictObject({
  engine: v.pipe(v.string(), v.minLength(1), v.maxLength(128)),
  enc: bytes({ min: 32, max: 32 }),
  ciphertext: bytes({ min: TAG_BYTES + 1, max: MAX_SEALED_BYTES }),
  way: v.exactOptional(v.literal("passkey")),
  adds: v.exactOptional(v.strictObject({
    enc: bytes({ min: 32, max: 32 }),
    ciphertext: bytes({ min: PRF_SEALED, max: PRF_SEALED }),
    name: v.pipe(v.string(), v.check(isPasskeyName, "a name of at most 32 characters")),
  })),
});

/** Largest body that can hold one, with room for spaces. */
export const MAX_SEALED_PIN_BODY = 1024;

function bytes({ min, max }: { min: number; max: number }) {
  const size = min === max ? `${min}` : `${min} to ${max}`;
  return v.pipe(
    v.string(),
    v.maxLength(256),
    v.rawTransform<string, Uint8Array<ArrayBuffer>>(({ dataset, addIssue, NEVER }) => {
      const decoded = fromBase64url(dataset.value);
      if (decoded !== undefined && decoded.length >= min && decoded.length <= max) return decoded;
      addIssue({ expected: `${size} bytes in base64url` });
      return NEVER;
    }),
  );
}
