/** Runs in browsers. */
import type { PinOutcome } from "../../gateway/view.ts";
import { MAX_PIN_BYTES, sealPin } from "../../token/pin/seal.ts";
import { fromBase64url, toBase64url } from "../shared/base64url.ts";
import type { PortalState } from "./state.ts";

/** The PIN is longer than any token takes. */
export class PinTooLong extends Error {}

/**
 * Seals a PIN to the engine of the card now in the reader and sends it.
 * @param pin UTF-8; the caller wipes it.
 * @param userId Goes along, where the page asks for it.
 * @throws {PinTooLong} before anything is sent.
 * @throws {Error} when the gateway can't be reached or gives no outcome.
 */
export async function enterPin(
  pin: Uint8Array,
  { target, userId }: { target: PortalState["target"]; userId?: string | undefined },
): Promise<PinOutcome> {
  if (pin.length > MAX_PIN_BYTES) throw new PinTooLong();
  const publicKey = target && fromBase64url(target.publicKey);
  if (target === undefined || publicKey === undefined) return { outcome: "stale" };
  const { enc, ciphertext } = await sealPin(pin, {
    publicKey,
    engine: target.engine,
    userId,
  });
  const response = await fetch("/api/pin", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({
      engine: target.engine,
      enc: toBase64url(enc),
      ciphertext: toBase64url(ciphertext),
    }),
  });
  if (!response.ok) throw new Error(`Cannot send the PIN: HTTP ${response.status}`);
  return await response.json() as PinOutcome;
}
