/** What gateway and engine say to each other about lending the card. No PIN is in any of it in the clear. */
import * as v from "valibot";
import { inBase64, SEALED_BYTES } from "../../token/pin/sealed_lengths.ts";

const text = (longest: number) => v.pipe(v.string(), v.maxLength(longest));
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const base64url = (longest: number) =>
  v.pipe(text(longest), v.regex(/^[A-Za-z0-9_-]*$/, "base64url"));
const counts = v.record(text(64), count);

/** Longest command or answer (65,544 bytes) in base64url. */
const APDU = 87_400;

const group = v.picklist(
  ["change-pin", "unblock", "write", "generate", "management", "reset"] as const,
);
const way = v.picklist(["reader", "program"] as const);
const refusal = v.picklist(["not-shared", "too-many-of-one", "too-many"] as const);
const reason = v.picklist([
  ...["released", "gave-up", "idle", "hard-limit", "waited-too-long"] as const,
  ...["revoked", "not-shared"] as const,
]);
const terminal = v.strictObject({ key: text(64), label: text(128) });

/** How an engine lends its card; part of `start`. */
export const ShareStartSchema = v.strictObject({
  idleMs: count,
  hardMs: count,
  /** Whether the card is lent before its holder was verified. */
  beforeUnlock: v.boolean(),
  /** What becomes of the PIN while the card is lent. */
  pin: v.picklist(["keep", "ask"] as const),
  allow: v.pipe(v.array(group), v.maxLength(16)),
  /** Where terminals' readers dial in; none: they can't. */
  reader: v.exactOptional(v.strictObject({
    addresses: v.pipe(v.array(text(64)), v.maxLength(8)),
    port: count,
  })),
});
export type ShareStart = v.InferOutput<typeof ShareStartSchema>;

export const ToEngineShareSchemas = [
  /** Answers `share-key`: certificate and its authority, PEM. */
  v.strictObject({ type: v.literal("share-certificate"), chain: text(16_384) }),
  /** Answers `reader-asked`; without a terminal it is refused. */
  v.strictObject({
    type: v.literal("reader-answer"),
    link: count,
    terminal: v.exactOptional(terminal),
  }),
  v.strictObject({ type: v.literal("lease-request"), ticket: count, terminal }),
  v.strictObject({ type: v.literal("lease-leave"), ticket: count }),
  v.strictObject({
    type: v.literal("lease-command"),
    ticket: count,
    exchange: count,
    apdu: base64url(APDU),
  }),
  /** A PIN sealed to the engine, to be shown to the application that is selected. */
  v.strictObject({
    type: v.literal("lease-pin"),
    ticket: count,
    exchange: count,
    reference: v.pipe(count, v.maxValue(255)),
    enc: base64url(43),
    ciphertext: base64url(inBase64(SEALED_BYTES)),
  }),
  /** Everything that this terminal holds or waits for, by whatever way. */
  v.strictObject({ type: v.literal("terminal-leave"), terminal: text(64) }),
  v.strictObject({ type: v.literal("lease-revoke") }),
  /** The holder's PIN that waits for the card isn't wanted any more. */
  v.strictObject({ type: v.literal("pin-drop") }),
] as const;

const person = v.strictObject({
  terminal: text(64),
  label: text(128),
  way,
  /** There for a program's request. */
  ticket: v.exactOptional(count),
  waitedMs: count,
});

export const FromEngineShareSchemas = [
  /** The public key (SPKI) of the TLS end in this engine; wants a certificate. */
  v.strictObject({ type: v.literal("share-key"), publicKey: base64url(256) }),
  v.strictObject({ type: v.literal("reader-asked"), link: count, address: text(64) }),
  v.strictObject({ type: v.literal("lease-refused"), ticket: count, why: refusal }),
  v.strictObject({
    type: v.literal("lease-granted"),
    ticket: count,
    lastsMs: count,
    idleMs: count,
  }),
  v.strictObject({ type: v.literal("lease-over"), ticket: count, reason }),
  v.strictObject({
    type: v.literal("lease-response"),
    ticket: count,
    exchange: count,
    answer: v.variant("is", [
      v.strictObject({ is: v.literal("response"), apdu: base64url(APDU) }),
      v.strictObject({
        is: v.literal("fault"),
        fault: v.picklist(["no-lease", "busy", "not-sealed-to-me"] as const),
      }),
    ]),
  }),
  /** For the journal: who got the card. */
  v.strictObject({
    type: v.literal("lease-began"),
    terminal,
    way,
    waitedMs: count,
  }),
  /** For the journal: what ran, by name. */
  v.strictObject({
    type: v.literal("lease-ended"),
    terminal,
    way,
    reason,
    heldMs: count,
    commands: counts,
    refused: counts,
    wrongPins: count,
  }),
  /** Who has the card and who waits; at most a hundred of them are named. */
  v.strictObject({
    type: v.literal("share"),
    open: v.boolean(),
    atr: base64url(64),
    /** Whom a program's PIN is sealed to. */
    pin: v.strictObject({ engine: text(80), publicKey: base64url(43) }),
    holder: v.exactOptional(v.strictObject({ ...person.entries, heldMs: count, leftMs: count })),
    waiting: v.pipe(v.array(person), v.maxLength(100)),
    waitingInAll: count,
  }),
  v.strictObject({ type: v.literal("reader-refused"), address: text(64), why: text(128) }),
  /** The holder's PIN waits for a terminal's lease to end; `pin-begins` when it is tried. */
  v.strictObject({ type: v.literal("pin-waits"), label: text(128), leftMs: count }),
  v.strictObject({ type: v.literal("pin-begins") }),
  /** What terminals left of the tries of a card that nobody unlocked yet. */
  v.strictObject({ type: v.literal("tries"), triesLeft: count }),
  /** The session's own PIN state could not be brought back: its holder is asked again. */
  v.strictObject({ type: v.literal("pin-wanted"), why: text(128) }),
] as const;
