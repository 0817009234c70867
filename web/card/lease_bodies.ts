/** Bodies of the card's API. @core */
import * as v from "valibot";
import { sealedPinSchema } from "../portal/sealed_pin.ts";

/** Longest command: extended length (ISO 7816-4), 65,544 bytes, in hexadecimal. */
const MOST_DIGITS = 2 * 65_544;

/** Largest body that holds one command, with room for the rest. */
export const MAX_COMMAND_BODY = MOST_DIGITS + 1_024;

const command = v.pipe(
  v.string(),
  v.maxLength(MOST_DIGITS),
  v.regex(/^([0-9a-fA-F]{2}){4,}$/, "a command APDU of at least four bytes in hexadecimal"),
  v.transform((text) => Uint8Array.fromHex(text)),
);

export const commandSchema = v.strictObject({ apdu: command });

/** A PIN sealed to the engine's lease key, and the reference (P2 of VERIFY) that it is for. */
export const leasePinSchema = v.strictObject({
  ...sealedPinSchema.entries,
  reference: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(255)), 0x80),
});

/** What a program says over the socket. */
export const socketMessageSchema = v.variant("type", [
  v.strictObject({ type: v.literal("command"), apdu: command }),
  v.strictObject({ type: v.literal("pin"), ...leasePinSchema.entries }),
  v.strictObject({ type: v.literal("release") }),
]);
export type SocketMessage = v.InferOutput<typeof socketMessageSchema>;

/** Seconds that a request waits for a change of its lease. */
export const waitSchema = v.object({
  wait: v.optional(v.pipe(v.string(), v.regex(/^\d{1,2}$/), v.transform(Number)), "0"),
});
/** Longest of them: below what proxies and browsers cut. */
export const LONGEST_WAIT_SECONDS = 25;
