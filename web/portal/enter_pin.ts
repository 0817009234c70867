/** Runs in browsers. */
import type { PinOutcome } from "../../gateway/view.ts";
import { boundTo, type SealedAddition, sealPasskey } from "../../token/pin/passkey.ts";
import { type Sealed, sealPin } from "../../token/pin/seal.ts";
import { MAX_PIN_BYTES } from "../../token/pin/sealed_lengths.ts";
import { fromBase64url, toBase64url } from "../shared/base64url.ts";
import type { PortalState } from "./state.ts";

/** The PIN is longer than any token takes. */
export class PinTooLong extends Error {}

/**
 * Seals a PIN to the engine of the card now in the reader and sends it.
 * @param pin UTF-8; the caller wipes it.
 * @param userId Goes along, where the page asks for it.
 * @param adds A passkey's answer that the PIN adds, and its name; the caller wipes it.
 * @throws {PinTooLong} before anything is sent.
 * @throws {Error} when the gateway can't be reached or gives no outcome.
 */
export async function enterPin(
  pin: Uint8Array,
  { target, userId, adds }: {
    target: PortalState["target"];
    userId?: string | undefined;
    adds?: { readonly prf: Uint8Array; readonly name: string };
  },
): Promise<PinOutcome> {
  if (pin.length > MAX_PIN_BYTES) throw new PinTooLong();
  const publicKey = target && fromBase64url(target.publicKey);
  if (target === undefined || publicKey === undefined) return { outcome: "stale" };
  const { engine } = target;
  const to = { publicKey, engine, userId };
  if (adds === undefined) return await send(engine, await sealPin(pin, to));
  const addition: SealedAddition = {
    ...await sealPasskey(adds.prf, { publicKey, engine }),
    name: adds.name,
  };
  const sealed = await sealPin(pin, { ...to, bound: boundTo(addition) });
  return await send(engine, sealed, { adds: { ...texts(addition), name: adds.name } });
}

/**
 * Sends a passkey's answer in the PIN's place, sealed in the same way; the caller wipes it.
 * @throws {Error} when the gateway can't be reached or gives no outcome.
 */
export async function enterPasskey(
  prf: Uint8Array,
  target: PortalState["target"],
): Promise<PinOutcome> {
  const publicKey = target && fromBase64url(target.publicKey);
  if (target === undefined || publicKey === undefined) return { outcome: "stale" };
  const { engine } = target;
  return await send(engine, await sealPasskey(prf, { publicKey, engine }), { way: "passkey" });
}

async function send(
  engine: string,
  sealed: Sealed,
  more: Record<string, unknown> = {},
): Promise<PinOutcome> {
  const response = await fetch("/api/pin", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ engine, ...texts(sealed), ...more }),
  });
  if (!response.ok) throw new Error(`Cannot send the PIN: HTTP ${response.status}`);
  return await response.json() as PinOutcome;
}

function texts({ enc, ciphertext }: Sealed): { enc: string; ciphertext: string } {
  return { enc: toBase64url(enc), ciphertext: toBase64url(ciphertext) };
}
