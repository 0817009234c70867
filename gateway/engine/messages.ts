/**
 * The messages between gateway and engine: one JSON object on one line each. No secret crosses in
 * the clear: a PIN is sealed to the engine's own key, and keys never leave it.
 */
import * as v from "valibot";
import { inBase64, SEALED_BYTES, SEALED_WITH_ID_BYTES } from "../../token/pin/sealed_lengths.ts";
import { isPasskeyName } from "../../token/profile/passkey_name.ts";
import { FromEngineFactsSchemas } from "./facts_message.ts";
import {
  FromEngineShareSchemas,
  ShareStartSchema,
  ToEngineShareSchemas,
} from "./share_messages.ts";

const text = (longest: number) => v.pipe(v.string(), v.maxLength(longest));
const number = v.pipe(v.number(), v.finite());
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const base64url = (longest: number) =>
  v.pipe(text(longest), v.regex(/^[A-Za-z0-9_-]*$/, "base64url"));
const texts = v.pipe(v.array(text(512)), v.maxLength(512), v.readonly());

const fault = v.picklist([
  ...["none-on-card", "damaged", "forged", "other-card", "older-generation"] as const,
  ...["newer-version", "unreadable-card", "unknown-kind"] as const,
  ...["revoked", "hub-unknown", "hub-expired", "hub-refused"] as const,
]);

/** What the gateway tells an engine. */
export const ToEngineSchema = v.variant("type", [
  v.strictObject({
    type: v.literal("start"),
    reader: text(256),
    /** The device of a stick, where the reader is a USB port. */
    stick: v.exactOptional(text(256)),
    issuers: v.pipe(v.array(base64url(64)), v.maxLength(64)),
    /** The folder of profiles whose cards have no room. */
    profiles: v.exactOptional(text(4096)),
    /** A hub that keeps such profiles; the file holds the key that it shares with gateways. */
    store: v.exactOptional(v.strictObject({ hub: text(262), keyFile: text(4096) })),
    tunnelInterface: text(15),
    /** UDP port of the tunnel; none: the system chooses. */
    listenPort: v.exactOptional(count),
    /** Whether the kernel's WireGuard may carry the packets. */
    kernel: v.picklist(["auto", "never"]),
    /** The user id is asked for with every PIN. */
    asksUserId: v.exactOptional(v.literal(true)),
    /** Passkeys may open profiles; `add`: holders may add their own. None: they may not. */
    passkeys: v.exactOptional(v.strictObject({ add: v.boolean() })),
    /** How the card is lent to terminals; none: it isn't. */
    share: v.exactOptional(ShareStartSchema),
  }),
  /** Answers `generation-asked`: the highest generation seen of that card (0 for none), and whether its issuer took it back. */
  v.strictObject({
    type: v.literal("generation"),
    highest: count,
    revoked: v.boolean(),
    /** The words of the passkeys that the gateway keeps for that card. */
    passkeys: v.exactOptional(v.pipe(v.array(text(300)), v.maxLength(64), v.readonly())),
  }),
  v.strictObject({
    type: v.literal("pin"),
    enc: base64url(43),
    ciphertext: base64url(inBase64(SEALED_WITH_ID_BYTES)),
    /** What is sealed is no PIN but a passkey's answer. */
    way: v.exactOptional(v.literal("passkey")),
    /** The answer of a passkey that this PIN adds. */
    adds: v.exactOptional(v.strictObject({
      enc: base64url(43),
      ciphertext: base64url(inBase64(SEALED_BYTES)),
      name: v.pipe(text(128), v.check(isPasskeyName)),
    })),
  }),
  v.strictObject({ type: v.literal("end") }),
  ...ToEngineShareSchemas,
]);
export type ToEngine = v.InferOutput<typeof ToEngineSchema>;

const GrantSchema = v.strictObject({
  holder: text(128),
  cardId: text(64),
  generation: count,
  expiresAt: number,
  interface: text(15),
  identity: v.picklist(["sealed", "on-card"]),
  keys: v.exactOptional(v.literal("manual")),
  addresses: texts,
  mtu: count,
  dns: texts,
  networks: texts,
  domains: texts,
  otherTraffic: v.picklist(["drop", "direct"]),
  inbound: v.exactOptional(texts),
  listening: v.exactOptional(v.strictObject({ port: count, peers: texts })),
  endpoints: texts,
});

/** What an engine tells the gateway. */
export const FromEngineSchema = v.variant("type", [
  v.strictObject({
    type: v.literal("hello"),
    engine: text(64),
    publicKey: base64url(43),
    /** Protections that the kernel did not grant. */
    gaps: texts,
  }),
  /** A genuine profile's name, before anything is asked of people. */
  v.strictObject({
    type: v.literal("generation-asked"),
    cardId: text(64),
    profileId: text(64),
    generation: count,
    issuer: base64url(43),
  }),
  v.strictObject({
    type: v.literal("card"),
    report: v.variant("card", [
      v.strictObject({
        card: v.literal("pin-asked"),
        holder: text(128),
        triesLeft: count,
        expiresAt: number,
        asksUserId: v.exactOptional(v.literal(true)),
        passkey: v.exactOptional(v.strictObject({
          nonce: base64url(22),
          opens: v.boolean(),
          mayAdd: v.boolean(),
        })),
      }),
      v.strictObject({ card: v.literal("expired"), holder: text(128), expiredAt: number }),
      v.strictObject({ card: v.literal("blocked"), holder: text(128) }),
      v.strictObject({ card: v.literal("refused"), fault }),
    ]),
  }),
  v.strictObject({
    type: v.literal("unlock-failed"),
    why: v.variant("failure", [
      v.strictObject({ failure: v.literal("wrong-pin"), triesLeft: count }),
      v.strictObject({ failure: v.literal("wrong-id"), triesLeft: count }),
      v.strictObject({ failure: v.literal("wrong-passkey"), triesLeft: count }),
      v.strictObject({ failure: v.literal("blocked") }),
      v.strictObject({ failure: v.literal("not-sealed-to-me") }),
      v.strictObject({ failure: v.literal("given-up") }),
      v.strictObject({ failure: v.literal("last-try"), triesLeft: count }),
      v.strictObject({ failure: v.literal("refused"), fault }),
      v.strictObject({ failure: v.literal("failed"), reason: text(512) }),
    ]),
  }),
  /** The PIN's result is still worked on. */
  v.strictObject({ type: v.literal("unlock-goes-on") }),
  /** A passkey to be kept for that card: a word, in which nothing is secret. */
  v.strictObject({ type: v.literal("passkey-added"), cardId: text(64), passkey: text(300) }),
  v.strictObject({ type: v.literal("grant"), grant: GrantSchema }),
  v.strictObject({
    type: v.literal("tunnel"),
    endpoint: text(64),
    sentBytes: count,
    receivedBytes: count,
    countedAt: number,
    lastHandshake: number,
    carrier: v.picklist(["userspace", "kernel"]),
    drops: v.record(text(64), count),
  }),
  v.strictObject({ type: v.literal("notice"), message: text(512) }),
  v.strictObject({ type: v.literal("card-gone") }),
  /** The machine slept, for so long; its keys are wiped, and it ends. */
  v.strictObject({ type: v.literal("slept"), sleptMs: count }),
  ...FromEngineFactsSchemas,
  ...FromEngineShareSchemas,
]);
export type FromEngine = v.InferOutput<typeof FromEngineSchema>;

/** Reads one line as a message; `undefined` when it is none. */
export function parseToEngine(line: string): ToEngine | undefined {
  return parse(ToEngineSchema, line);
}

/** Reads one line as a message; `undefined` when it is none. */
export function parseFromEngine(line: string): FromEngine | undefined {
  return parse(FromEngineSchema, line);
}

function parse<T extends v.GenericSchema>(schema: T, line: string): v.InferOutput<T> | undefined {
  try {
    const result = v.safeParse(schema, JSON.parse(line));
    return result.success ? result.output : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
