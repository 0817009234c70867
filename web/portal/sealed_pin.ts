import * as v from "valibot";
import { MAX_SEALED_BYTES } from "../../token/pin/seal.ts";
import { fromBase64url } from "../shared/base64url.ts";

const TAG_BYTES = 16;

/** A sealed PIN as JSON: `engine` as in the target, `enc` and `ciphertext` in base64url. */
export const sealedPinSchema = v.strictObject({
  engine: v.pipe(v.string(), v.minLength(1), v.maxLength(128)),
  enc: bytes({ min: 32, max: 32 }),
  ciphertext: bytes({ min: TAG_BYTES + 1, max: MAX_SEALED_BYTES }),
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
